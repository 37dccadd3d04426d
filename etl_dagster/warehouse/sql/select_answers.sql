-- The bodies kept of a day, beside the hashes that the ledger has of the answers of their batches.
SELECT
    a.batch_id, a.lead_date, a.chunk, a.evidence_hash, a.encoding, a.body,
    v.source, v.ledger_hash, v.ledger_hashes,
    COUNT(*) OVER (PARTITION BY a.batch_id) AS bodies
FROM CCC_ANSWERS AS a
LEFT JOIN (
    SELECT
        batch_id, chunk,
        MIN(source) AS source,
        MIN(evidence_hash) AS ledger_hash,
        COUNT(DISTINCT evidence_hash) AS ledger_hashes
    FROM PHONE_VERDICTS
    WHERE lead_date = %(lead_date)s
    GROUP BY batch_id, chunk
) AS v ON v.batch_id = a.batch_id AND v.chunk = a.chunk
WHERE a.lead_date = %(lead_date)s
ORDER BY a.chunk, a.batch_id
