-- What the view to dial from shows at this moment, in an order of its own.
SELECT *
FROM CALLABLE_NOW
WHERE lead_date = COALESCE(%(lead_date)s::DATE, lead_date)
    AND ({campaigns})
ORDER BY campaign, lead_date, lead_id
