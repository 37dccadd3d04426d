-- The chunk's published leads by campaign.
SELECT campaign, COUNT(*) AS leads
FROM CALLABLE_LEADS
WHERE lead_date = %(lead_date)s AND chunk = %(chunk)s
GROUP BY campaign
ORDER BY campaign
