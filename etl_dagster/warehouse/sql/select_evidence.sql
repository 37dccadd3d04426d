-- What is known of each phone, for the decision; the DNC verdict on record still stands if it
-- was taken from the same list versions under the same policy and has not run out.
SELECT
    phone,
    {api_evidence},
    CASE dnc_verdict WHEN 'CLEAR' THEN 1 WHEN 'LISTED' THEN 2 ELSE 0 END AS dnc_verdict,
    COALESCE(
        dnc_list_versions = %(list_versions)s
        AND dnc_policy_hash = %(policy_hash)s
        AND (dnc_verdict <> 'CLEAR' OR dnc_valid_until > %(moment)s),
        FALSE
    ) AS dnc_on_record
FROM CHUNK_EVIDENCE
ORDER BY phone
