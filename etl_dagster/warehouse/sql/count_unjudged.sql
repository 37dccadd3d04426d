-- A day's leads that no stage has decided on; the funnel counts them as unknown.
SELECT COUNT(*) AS leads
FROM LEADS AS l
LEFT JOIN DNC_FILTERED AS f
    ON f.lead_date = l.lead_date AND f.chunk = l.chunk
    AND f.lead_id = l.lead_id AND f.campaign = l.campaign
WHERE l.lead_date = %(lead_date)s AND f.lead_verdict IS NULL
