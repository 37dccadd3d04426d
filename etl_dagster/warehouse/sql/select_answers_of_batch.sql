SELECT evidence_hash, endpoint, answered_at, encoding, body
FROM CCC_ANSWERS
WHERE batch_id = %(batch_id)s
ORDER BY evidence_hash, answered_at
