-- Phones that were decided CALLABLE and that the ledger, as it was at the decision's moment, does not
-- clear. Must be none. What was cleared then, and has run out or was blocked since, is no
-- contradiction: it is not proven now, and so not published. A decision that does not say when it was
-- made is held to all that is on record now.
WITH judged AS (
    SELECT
        l.phone_1, f.phone_1_verdict, l.phone_2, f.phone_2_verdict, l.phone_3, f.phone_3_verdict,
        COALESCE(f.decided_at, '9999-12-31'::TIMESTAMP_NTZ) AS decided_at
    FROM LEADS AS l JOIN DNC_FILTERED AS f
        ON f.lead_date = l.lead_date AND f.chunk = l.chunk
        AND f.lead_id = l.lead_id AND f.campaign = l.campaign
    WHERE l.lead_date = %(lead_date)s AND l.chunk = %(chunk)s
),
decided AS (
    SELECT phone_1 AS phone, decided_at FROM judged WHERE phone_1_verdict = 'CALLABLE'
    UNION
    SELECT phone_2, decided_at FROM judged WHERE phone_2_verdict = 'CALLABLE'
    UNION
    SELECT phone_3, decided_at FROM judged WHERE phone_3_verdict = 'CALLABLE'
),
unproven AS (
    SELECT d.phone, d.decided_at
    FROM decided AS d LEFT JOIN PROVEN_PHONES AS p ON p.phone = d.phone
    WHERE p.phone IS NULL
),
known_then AS (
    SELECT
        v.phone, v.source, v.valid_until,
        IFF(
            v.source <> 'ccc' AND v.verdict = 'CLEAR' AND v.policy_hash <> %(policy_hash)s,
            'UNKNOWN',
            v.verdict
        ) AS verdict
    FROM PHONE_VERDICTS AS v
    JOIN unproven AS u ON u.phone = v.phone AND v.checked_at <= u.decided_at
    QUALIFY {newest_first} = 1
),
cleared_then AS (
    SELECT phone
    FROM known_then
    GROUP BY phone
    HAVING COUNT_IF(verdict = 'LISTED') = 0
        AND COUNT_IF(source IN ({required}) AND verdict = 'CLEAR' AND valid_until IS NOT NULL)
            = {required_count}
)
SELECT COUNT(DISTINCT COALESCE(u.phone, 0))
FROM unproven AS u LEFT JOIN cleared_then AS c ON c.phone = u.phone
WHERE c.phone IS NULL
