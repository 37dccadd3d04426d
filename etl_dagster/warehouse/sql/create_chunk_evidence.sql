-- Distinct phones, a chunk's or a whole day's, with each source's newest ledger row.
CREATE OR REPLACE TEMPORARY TABLE CHUNK_EVIDENCE AS
WITH phones AS (
{phones}
),
latest AS (
    SELECT
        v.phone, v.source, v.verdict, v.reason, v.list_versions, v.checked_at, v.valid_until,
        v.policy_hash
    FROM PHONE_VERDICTS AS v
    JOIN phones AS p ON p.phone = v.phone
    QUALIFY {newest_first} = 1
)
SELECT
    p.phone,
    ccc.verdict AS ccc_verdict,
    ccc.reason AS ccc_reason,
    ccc.checked_at AS ccc_checked_at,
    ccc.valid_until AS ccc_valid_until,
    dnc.verdict AS dnc_verdict,
    dnc.list_versions AS dnc_list_versions,
    dnc.valid_until AS dnc_valid_until,
    dnc.policy_hash AS dnc_policy_hash
FROM phones AS p
LEFT JOIN latest AS ccc ON ccc.phone = p.phone AND ccc.source = 'ccc'
LEFT JOIN latest AS dnc ON dnc.phone = p.phone AND dnc.source = 'dnc'
