-- All ledger rows of some chains.
SELECT
    lead_date, chunk, phone, source, verdict, reason, list_versions, checked_at, valid_until,
    policy_hash, evidence_hash, run_id, batch_id
FROM PHONE_VERDICTS
WHERE {chain_range}
