-- What CALLABLE_NOW shows at this moment, by day and campaign.
SELECT lead_date, campaign, COUNT(*) AS leads
FROM CALLABLE_NOW
WHERE lead_date = COALESCE(%(lead_date)s::DATE, lead_date)
    AND ({campaigns})
GROUP BY lead_date, campaign
ORDER BY lead_date, campaign
