CREATE OR REPLACE VIEW CCC_ENRICHED_LEADS COPY GRANTS AS
SELECT
    l.lead_date, l.chunk, l.lead_id, l.campaign,
    l.first_name, l.last_name, l.address, l.city, l.state, l.zip,
    l.phone_1, e.phone_1_ccc, e.phone_1_reason, e.phone_1_checked_at,
    l.phone_2, e.phone_2_ccc, e.phone_2_reason, e.phone_2_checked_at,
    l.phone_3, e.phone_3_ccc, e.phone_3_reason, e.phone_3_checked_at,
    e.run_id, COALESCE(e.source, 'ccc') AS source
FROM LEADS AS l
JOIN CCC_ENRICHED AS e
    ON e.lead_date = l.lead_date AND e.chunk = l.chunk
    AND e.lead_id = l.lead_id AND e.campaign = l.campaign
