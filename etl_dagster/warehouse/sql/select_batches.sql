-- All batches of some chains.
SELECT
    batch_id, lead_date, chunk, source, position, row_count, digest, prev_digest, endpoint,
    deployment, created_at
FROM SCRUB_BATCHES
WHERE {chain_range}
