-- The leads that have a phone, without any name, and what was decided on it the last time.
WITH found AS (
    SELECT
        lead_date, chunk, campaign, lead_id, extracted_at, run_id,
        CASE WHEN phone_1 = %(phone)s THEN 1 WHEN phone_2 = %(phone)s THEN 2 ELSE 3 END AS place
    FROM LEADS
    WHERE phone_1 = %(phone)s OR phone_2 = %(phone)s OR phone_3 = %(phone)s
)
SELECT
    l.lead_date, l.campaign, l.lead_id, l.place, l.extracted_at, l.run_id,
    CASE l.place WHEN 1 THEN f.phone_1_verdict WHEN 2 THEN f.phone_2_verdict
        ELSE f.phone_3_verdict END AS verdict,
    CASE l.place WHEN 1 THEN f.phone_1_reason WHEN 2 THEN f.phone_2_reason
        ELSE f.phone_3_reason END AS reason,
    f.policy_hash AS policy_hash, f.run_id AS decided_by
FROM found AS l
LEFT JOIN DNC_FILTERED AS f
    ON f.lead_date = l.lead_date AND f.chunk = l.chunk
    AND f.lead_id = l.lead_id AND f.campaign = l.campaign
ORDER BY l.lead_date, l.campaign, l.lead_id
