-- The end of a chain of batches.
SELECT position, digest
FROM SCRUB_BATCHES
WHERE lead_date = %(lead_date)s AND chunk = %(chunk)s AND source = %(source)s
ORDER BY position DESC
LIMIT 1
