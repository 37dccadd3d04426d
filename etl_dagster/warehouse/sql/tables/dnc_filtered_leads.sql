CREATE OR REPLACE VIEW DNC_FILTERED_LEADS COPY GRANTS AS
SELECT
    l.lead_date, l.chunk, l.lead_id, l.campaign,
    l.first_name, l.last_name, l.address, l.city, l.state, l.zip,
    l.phone_1, f.phone_1_dnc, f.phone_1_lists, f.phone_1_verdict, f.phone_1_reason,
    l.phone_2, f.phone_2_dnc, f.phone_2_lists, f.phone_2_verdict, f.phone_2_reason,
    l.phone_3, f.phone_3_dnc, f.phone_3_lists, f.phone_3_verdict, f.phone_3_reason,
    f.lead_verdict, f.lead_reason, f.policy_hash, f.run_id
FROM LEADS AS l
JOIN DNC_FILTERED AS f
    ON f.lead_date = l.lead_date AND f.chunk = l.chunk
    AND f.lead_id = l.lead_id AND f.campaign = l.campaign
