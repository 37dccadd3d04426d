-- Everything that was ever said of a phone, oldest first.
SELECT
    lead_date, chunk, phone, source, verdict, reason, list_versions, checked_at, valid_until,
    policy_hash, evidence_hash, run_id, batch_id
FROM PHONE_VERDICTS
WHERE phone = %(phone)s
ORDER BY checked_at, source, lead_date, chunk, batch_id
