-- The Do-Not-Call lists and versions by which a day's phones were decided: each phone's newest row
-- up to the day's scrub, of whatever day, since what is on record is not recorded again.
WITH phones AS (
    SELECT phone_1 AS phone FROM LEADS WHERE lead_date = %(lead_date)s AND phone_1 IS NOT NULL
    UNION
    SELECT phone_2 FROM LEADS WHERE lead_date = %(lead_date)s AND phone_2 IS NOT NULL
    UNION
    SELECT phone_3 FROM LEADS WHERE lead_date = %(lead_date)s AND phone_3 IS NOT NULL
),
latest AS (
    SELECT v.list_versions
    FROM PHONE_VERDICTS AS v
    JOIN phones AS p ON p.phone = v.phone
    WHERE v.source = 'dnc' AND v.checked_at <= %(scrubbed_at)s
    QUALIFY {newest_first} = 1
)
SELECT list_versions, COUNT(*) AS phones
FROM latest
GROUP BY list_versions
ORDER BY list_versions
