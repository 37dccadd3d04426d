-- By what a chunk was last decided, and when: at the moment of the verdicts that its run put on
-- record, if it did; else some time after its leads were extracted. No row if they are gone.
WITH decided AS (
    SELECT
        MAX(f.run_id) AS run_id, MAX(f.policy_hash) AS policy_hash,
        MAX(l.extracted_at) AS extracted_at
    FROM DNC_FILTERED AS f
    JOIN LEADS AS l ON l.lead_id = f.lead_id AND l.lead_date = f.lead_date AND l.chunk = f.chunk
    WHERE f.lead_date = %(lead_date)s AND f.chunk = %(chunk)s
)
SELECT
    d.policy_hash, d.extracted_at, MAX(v.checked_at) AS recorded_at,
    MAX(v.list_versions) AS list_versions
FROM decided AS d
LEFT JOIN PHONE_VERDICTS AS v
    ON v.run_id = d.run_id AND v.source = 'dnc'
    AND v.lead_date = %(lead_date)s AND v.chunk = %(chunk)s
WHERE d.extracted_at IS NOT NULL
GROUP BY d.policy_hash, d.extracted_at
