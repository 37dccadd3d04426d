-- A service's word for the decision. What the full scrub says is the policy's judgement, so that a
-- CLEAR under another one is none.
CASE
        WHEN {source}_verdict = 'LISTED' THEN 2
        WHEN {source}_verdict = 'CLEAR'
            AND ('{source}' = 'ccc' OR {source}_policy_hash = %(policy_hash)s) THEN 1
        ELSE 0
    END AS {source}_verdict,
    LEAST(
        {source}_valid_until, DATEADD(second, %({source}_ttl_seconds)s, {source}_checked_at)
    ) AS {source}_valid_until
