-- Each distinct phone of the leads in {leads} that are {which}, with their columns {beside}.
SELECT {beside} phone_1 AS phone FROM {leads} WHERE {which} AND phone_1 IS NOT NULL
UNION
SELECT {beside} phone_2 FROM {leads} WHERE {which} AND phone_2 IS NOT NULL
UNION
SELECT {beside} phone_3 FROM {leads} WHERE {which} AND phone_3 IS NOT NULL
