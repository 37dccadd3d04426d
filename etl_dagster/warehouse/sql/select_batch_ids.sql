-- The batches of a chain.
SELECT batch_id
FROM SCRUB_BATCHES
WHERE lead_date = %(lead_date)s AND chunk = %(chunk)s AND source = %(source)s
