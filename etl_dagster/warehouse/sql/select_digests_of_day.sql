-- The digests of a day's batches, chain by chain, in order.
SELECT chunk, source, digest
FROM SCRUB_BATCHES
WHERE lead_date = %(day)s
ORDER BY chunk, source, position
