-- Leads of the chunk that are not in DNC_FILTERED exactly once, and rows there without a lead.
WITH extracted AS (
    SELECT lead_id, campaign, COUNT(*) AS copies
    FROM LEADS WHERE lead_date = %(lead_date)s AND chunk = %(chunk)s
    GROUP BY lead_id, campaign
),
judged AS (
    SELECT lead_id, campaign, COUNT(*) AS copies
    FROM DNC_FILTERED
    WHERE lead_date = %(lead_date)s AND chunk = %(chunk)s
        AND lead_verdict IN ('CALLABLE', 'BLOCKED', 'UNKNOWN', 'INVALID')
    GROUP BY lead_id, campaign
)
SELECT
    COUNT_IF(l.lead_id IS NOT NULL) AS leads,
    COUNT_IF(j.lead_id IS NOT NULL) AS judged,
    COUNT_IF(COALESCE(l.copies, 0) <> 1 OR COALESCE(j.copies, 0) <> 1) AS violations
FROM extracted AS l
FULL OUTER JOIN judged AS j ON j.lead_id = l.lead_id AND j.campaign = l.campaign
