-- Phones that were decided CALLABLE and that the ledger does not clear. Must be none; what was
-- cleared and has run out meanwhile is not published either, but is no contradiction.
SELECT COUNT(*)
FROM (
    SELECT l.phone_1 AS phone, f.phone_1_verdict AS verdict
    FROM LEADS AS l JOIN DNC_FILTERED AS f
        ON f.lead_date = l.lead_date AND f.chunk = l.chunk
        AND f.lead_id = l.lead_id AND f.campaign = l.campaign
    WHERE l.lead_date = %(lead_date)s AND l.chunk = %(chunk)s
    UNION ALL
    SELECT l.phone_2, f.phone_2_verdict
    FROM LEADS AS l JOIN DNC_FILTERED AS f
        ON f.lead_date = l.lead_date AND f.chunk = l.chunk
        AND f.lead_id = l.lead_id AND f.campaign = l.campaign
    WHERE l.lead_date = %(lead_date)s AND l.chunk = %(chunk)s
    UNION ALL
    SELECT l.phone_3, f.phone_3_verdict
    FROM LEADS AS l JOIN DNC_FILTERED AS f
        ON f.lead_date = l.lead_date AND f.chunk = l.chunk
        AND f.lead_id = l.lead_id AND f.campaign = l.campaign
    WHERE l.lead_date = %(lead_date)s AND l.chunk = %(chunk)s
) AS decided
LEFT JOIN PROVEN_PHONES AS p ON p.phone = decided.phone
WHERE decided.verdict = 'CALLABLE' AND p.phone IS NULL
