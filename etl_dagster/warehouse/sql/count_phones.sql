-- A day's distinct phones by what was decided on them and why.
WITH phones AS (
    SELECT l.campaign, l.phone_1 AS phone, f.phone_1_verdict AS verdict,
        f.phone_1_lists AS lists, f.phone_1_reason AS reason
    FROM LEADS AS l JOIN DNC_FILTERED AS f
        ON f.lead_date = l.lead_date AND f.chunk = l.chunk
        AND f.lead_id = l.lead_id AND f.campaign = l.campaign
    WHERE l.lead_date = %(lead_date)s AND l.phone_1 IS NOT NULL
    UNION
    SELECT l.campaign, l.phone_2, f.phone_2_verdict, f.phone_2_lists, f.phone_2_reason
    FROM LEADS AS l JOIN DNC_FILTERED AS f
        ON f.lead_date = l.lead_date AND f.chunk = l.chunk
        AND f.lead_id = l.lead_id AND f.campaign = l.campaign
    WHERE l.lead_date = %(lead_date)s AND l.phone_2 IS NOT NULL
    UNION
    SELECT l.campaign, l.phone_3, f.phone_3_verdict, f.phone_3_lists, f.phone_3_reason
    FROM LEADS AS l JOIN DNC_FILTERED AS f
        ON f.lead_date = l.lead_date AND f.chunk = l.chunk
        AND f.lead_id = l.lead_id AND f.campaign = l.campaign
    WHERE l.lead_date = %(lead_date)s AND l.phone_3 IS NOT NULL
)
SELECT campaign, verdict, COALESCE(lists, '') AS lists, reason, COUNT(*) AS phones
FROM phones
GROUP BY campaign, verdict, COALESCE(lists, ''), reason
ORDER BY campaign, verdict, lists, reason
