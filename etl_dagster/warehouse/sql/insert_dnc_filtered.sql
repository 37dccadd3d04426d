-- Every lead with what was decided on its phones. A lead is CALLABLE if one of its phones is,
-- else UNKNOWN if one of them is, else BLOCKED; INVALID where there is no valid phone at all. A
-- phone's reasons are the causes of the decision, in the words of the sources: a CALLABLE one has none.
INSERT INTO DNC_FILTERED
WITH reasoned AS (
    SELECT
        d.phone, d.dnc_verdict, d.lists, d.verdict,
        TRIM(
            {api_reasons}
            || CASE
                WHEN d.dnc_cause = 'NONE' THEN ''
                WHEN d.dnc_cause = 'EXPIRED' THEN 'dnc:expired'
                ELSE 'dnc:' || d.dnc_reason
            END
        ) AS reason
    FROM CHUNK_DECISIONS AS d
    LEFT JOIN CHUNK_EVIDENCE AS e ON e.phone = d.phone
),
joined AS (
    SELECT
        l.lead_date, l.chunk, l.lead_id, l.campaign,
        l.phone_1, l.phone_2, l.phone_3,
        COALESCE(l.phone_1_raw, l.phone_2_raw, l.phone_3_raw) AS any_raw,
        d1.dnc_verdict AS dnc_1, d2.dnc_verdict AS dnc_2, d3.dnc_verdict AS dnc_3,
        d1.lists AS lists_1, d2.lists AS lists_2, d3.lists AS lists_3,
        IFF(l.phone_1 IS NULL, NULL, COALESCE(d1.verdict, 'UNKNOWN')) AS verdict_1,
        IFF(l.phone_2 IS NULL, NULL, COALESCE(d2.verdict, 'UNKNOWN')) AS verdict_2,
        IFF(l.phone_3 IS NULL, NULL, COALESCE(d3.verdict, 'UNKNOWN')) AS verdict_3,
        IFF(l.phone_1 IS NULL, NULL, COALESCE(d1.reason, 'not_checked')) AS reason_1,
        IFF(l.phone_2 IS NULL, NULL, COALESCE(d2.reason, 'not_checked')) AS reason_2,
        IFF(l.phone_3 IS NULL, NULL, COALESCE(d3.reason, 'not_checked')) AS reason_3
    FROM LEADS AS l
    LEFT JOIN reasoned AS d1 ON d1.phone = l.phone_1
    LEFT JOIN reasoned AS d2 ON d2.phone = l.phone_2
    LEFT JOIN reasoned AS d3 ON d3.phone = l.phone_3
    WHERE l.lead_date = %(lead_date)s AND l.chunk = %(chunk)s
),
judged AS (
    SELECT
        joined.*,
        CASE
            WHEN COALESCE(phone_1, phone_2, phone_3) IS NULL THEN 'INVALID'
            WHEN 'CALLABLE' IN (verdict_1, verdict_2, verdict_3) THEN 'CALLABLE'
            WHEN 'UNKNOWN' IN (verdict_1, verdict_2, verdict_3) THEN 'UNKNOWN'
            ELSE 'BLOCKED'
        END AS lead_verdict
    FROM joined
)
SELECT
    lead_date, chunk, lead_id, campaign,
    dnc_1, dnc_2, dnc_3, lists_1, lists_2, lists_3,
    verdict_1, verdict_2, verdict_3, reason_1, reason_2, reason_3,
    lead_verdict,
    CASE
        WHEN lead_verdict = 'INVALID' AND any_raw IS NULL THEN 'no_phone'
        WHEN lead_verdict = 'INVALID' THEN 'invalid_phone'
        WHEN lead_verdict = verdict_1 THEN reason_1
        WHEN lead_verdict = verdict_2 THEN reason_2
        ELSE reason_3
    END,
    %(policy_hash)s, %(run_id)s, %(moment)s
FROM judged
