-- The chunk's leads by verdict.
SELECT lead_verdict, COUNT(*) AS leads
FROM DNC_FILTERED
WHERE lead_date = %(lead_date)s AND chunk = %(chunk)s
GROUP BY lead_verdict
