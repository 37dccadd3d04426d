-- The number of leads of a day and of each day before it that has any.
SELECT lead_date, COUNT(*) AS leads
FROM LEADS
WHERE lead_date BETWEEN %(since)s AND %(lead_date)s
GROUP BY lead_date
ORDER BY lead_date
