-- Of a day and of each day before it: phones that a source has listed, and those it answered about.
SELECT
    lead_date,
    SUM(
        IFF(phone_1_{column} = 'LISTED', 1, 0) + IFF(phone_2_{column} = 'LISTED', 1, 0)
        + IFF(phone_3_{column} = 'LISTED', 1, 0)
    ) AS listed,
    SUM(
        IFF(phone_1_{column} IN ('LISTED', 'CLEAR'), 1, 0)
        + IFF(phone_2_{column} IN ('LISTED', 'CLEAR'), 1, 0)
        + IFF(phone_3_{column} IN ('LISTED', 'CLEAR'), 1, 0)
    ) AS answered
FROM {table}
WHERE {which} AND lead_date BETWEEN %(since)s AND %(lead_date)s
GROUP BY lead_date
ORDER BY lead_date
