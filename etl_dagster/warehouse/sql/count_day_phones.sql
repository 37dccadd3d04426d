-- A day's distinct valid phones, whatever became of them.
SELECT COUNT(*) AS phones
FROM (
    SELECT phone_1 AS phone FROM LEADS WHERE lead_date = %(lead_date)s AND phone_1 IS NOT NULL
    UNION
    SELECT phone_2 FROM LEADS WHERE lead_date = %(lead_date)s AND phone_2 IS NOT NULL
    UNION
    SELECT phone_3 FROM LEADS WHERE lead_date = %(lead_date)s AND phone_3 IS NOT NULL
)
