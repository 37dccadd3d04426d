-- The phones that a service has to be asked about: no answer on record stays valid long enough,
-- by its own end or by what the policy in force allows, or it was judged by another policy.
SELECT phone
FROM CHUNK_EVIDENCE
WHERE %(force)s
    OR {source}_verdict IS NULL OR {source}_verdict = 'UNKNOWN'
    OR {source}_valid_until IS NULL OR {source}_valid_until <= %(valid_beyond)s
    OR DATEADD(second, %(ttl_seconds)s, {source}_checked_at) <= %(valid_beyond)s
    OR ('{source}' <> 'ccc' AND {source}_policy_hash <> %(policy_hash)s)
ORDER BY phone
