-- What became of each campaign's rows.
WITH raw AS (
    SELECT campaign, COUNT(*) AS row_count, COUNT(lead_id) AS named
    FROM EXTRACTED GROUP BY campaign
),
leads AS (
    SELECT campaign, COUNT(*) AS lead_count, COUNT_IF(still_valid) AS still_valid
    FROM DAY_LEADS GROUP BY campaign
)
SELECT
    raw.campaign,
    raw.row_count,
    raw.row_count - raw.named AS nameless,
    raw.named - COALESCE(leads.lead_count, 0) AS duplicates,
    COALESCE(leads.still_valid, 0) AS still_valid
FROM raw
LEFT JOIN leads ON leads.campaign = raw.campaign
ORDER BY raw.campaign
