-- The chunks of a day that have Do-Not-Call verdicts.
SELECT DISTINCT chunk
FROM PHONE_VERDICTS
WHERE lead_date = %(lead_date)s AND source = 'dnc'
ORDER BY chunk
