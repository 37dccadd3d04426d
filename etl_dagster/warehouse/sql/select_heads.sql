-- The newest batch of every chain.
SELECT lead_date, chunk, source, position, digest
FROM SCRUB_BATCHES
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY lead_date, chunk, source ORDER BY position DESC, digest
) = 1
ORDER BY lead_date, chunk, source
