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
    {words}
FROM phones AS p
{joins}
