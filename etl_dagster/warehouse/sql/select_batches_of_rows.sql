-- The batches, of whatever chain, whose ids the ledger rows of some chains have.
SELECT DISTINCT SCRUB_BATCHES.batch_id, SCRUB_BATCHES.lead_date, SCRUB_BATCHES.chunk,
    SCRUB_BATCHES.source
FROM SCRUB_BATCHES
JOIN (SELECT DISTINCT batch_id FROM PHONE_VERDICTS WHERE {chain_range}) AS named
    ON named.batch_id = SCRUB_BATCHES.batch_id
