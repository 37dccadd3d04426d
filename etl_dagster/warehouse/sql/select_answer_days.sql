-- The days of which bodies are kept.
SELECT DISTINCT lead_date
FROM CCC_ANSWERS
WHERE lead_date BETWEEN %(first)s AND %(last)s
ORDER BY lead_date
