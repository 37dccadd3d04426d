-- The phones that CCC has to be asked about: no answer on record stays valid long enough, by its
-- own end or by what the policy in force allows.
SELECT phone
FROM CHUNK_EVIDENCE
WHERE %(force)s
    OR ccc_verdict IS NULL OR ccc_verdict = 'UNKNOWN'
    OR ccc_valid_until IS NULL OR ccc_valid_until <= %(valid_beyond)s
    OR DATEADD(second, %(ccc_ttl_seconds)s, ccc_checked_at) <= %(valid_beyond)s
ORDER BY phone
