-- A day's leads by what became of them, per campaign. litigator + dnc + full_scrub = blocked;
-- no_phone + invalid + unknown + blocked + callable = extracted.
WITH judged AS (
    SELECT
        l.campaign, f.lead_verdict, f.lead_reason,
        'LISTED' IN (
            COALESCE(e.phone_1_ccc, ''), COALESCE(e.phone_2_ccc, ''), COALESCE(e.phone_3_ccc, '')
        ) AS has_litigator,
        'LISTED' IN (
            COALESCE(f.phone_1_dnc, ''), COALESCE(f.phone_2_dnc, ''), COALESCE(f.phone_3_dnc, '')
        ) AS has_listed
    FROM LEADS AS l
    LEFT JOIN DNC_FILTERED AS f
        ON f.lead_date = l.lead_date AND f.chunk = l.chunk
        AND f.lead_id = l.lead_id AND f.campaign = l.campaign
    LEFT JOIN CCC_ENRICHED AS e
        ON e.lead_date = l.lead_date AND e.chunk = l.chunk
        AND e.lead_id = l.lead_id AND e.campaign = l.campaign
        AND COALESCE(e.source, 'ccc') = 'ccc'
    WHERE l.lead_date = %(lead_date)s
)
SELECT
    campaign,
    COUNT(*) AS extracted,
    COUNT_IF(lead_verdict = 'INVALID' AND lead_reason = 'no_phone') AS no_phone,
    COUNT_IF(lead_verdict = 'INVALID' AND lead_reason <> 'no_phone') AS invalid,
    COUNT_IF(lead_verdict = 'BLOCKED' AND has_litigator) AS litigator,
    COUNT_IF(lead_verdict = 'BLOCKED' AND NOT has_litigator AND has_listed) AS dnc,
    COUNT_IF(lead_verdict = 'BLOCKED' AND NOT has_litigator AND NOT has_listed) AS full_scrub,
    COUNT_IF(lead_verdict = 'UNKNOWN' OR lead_verdict IS NULL) AS unknown,
    COUNT_IF(lead_verdict = 'BLOCKED') AS blocked,
    COUNT_IF(lead_verdict = 'CALLABLE') AS callable
FROM judged
GROUP BY campaign
ORDER BY campaign
