-- The chunks with published leads that may still be dialled.
SELECT DISTINCT lead_date, chunk
FROM CALLABLE_LEADS
WHERE callable_until > %(moment)s
ORDER BY lead_date, chunk
