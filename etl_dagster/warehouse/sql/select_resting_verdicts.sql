-- The Do-Not-Call verdicts of other chunks and days on which a chunk's decision rests: each phone's
-- newest by then, if that is none of its own. A phone without any has no policy_hash.
WITH own AS (
    SELECT DISTINCT phone
    FROM PHONE_VERDICTS
    WHERE lead_date = %(lead_date)s AND chunk = %(chunk)s AND source = 'dnc'
),
phones AS (
    SELECT each.phone
    FROM (
{phones}
    ) AS each
    LEFT JOIN own ON own.phone = each.phone
    WHERE %(exact)s OR own.phone IS NULL
),
latest AS (
    SELECT
        v.lead_date, v.chunk, v.phone, v.verdict, v.reason, v.valid_until, v.list_versions,
        v.checked_at, v.policy_hash
    FROM PHONE_VERDICTS AS v
    JOIN phones AS p ON p.phone = v.phone
    WHERE v.source = 'dnc' AND v.checked_at <= %(decided_at)s
    QUALIFY {newest_first} = 1
)
SELECT
    COALESCE(l.lead_date, %(lead_date)s) AS lead_date,
    COALESCE(l.chunk, %(chunk)s) AS chunk,
    p.phone,
    l.verdict,
    l.reason,
    l.valid_until,
    COALESCE(l.list_versions, '') AS list_versions,
    COALESCE(l.checked_at, %(decided_at)s) AS checked_at,
    COALESCE(l.policy_hash, '') AS policy_hash
FROM phones AS p
LEFT JOIN latest AS l ON l.phone = p.phone
WHERE l.phone IS NULL OR l.lead_date <> %(lead_date)s OR l.chunk <> %(chunk)s
