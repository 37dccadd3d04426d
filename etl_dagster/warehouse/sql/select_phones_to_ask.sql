-- The phones that CCC has to be asked about: no valid answer is on record.
SELECT phone
FROM CHUNK_EVIDENCE
WHERE %(force)s
    OR ccc_verdict IS NULL OR ccc_verdict = 'UNKNOWN'
    OR ccc_valid_until IS NULL OR ccc_valid_until <= %(moment)s
ORDER BY phone
