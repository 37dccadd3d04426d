-- Leads that would be INVALID, as insert_dnc_filtered tells them apart: no phone at all, or none
-- that is valid.
SELECT
    campaign,
    COUNT_IF(COALESCE(phone_1_raw, phone_2_raw, phone_3_raw) IS NULL) AS no_phone,
    COUNT_IF(COALESCE(phone_1_raw, phone_2_raw, phone_3_raw) IS NOT NULL) AS invalid
FROM DAY_LEADS
WHERE NOT still_valid AND COALESCE(phone_1, phone_2, phone_3) IS NULL
GROUP BY campaign
