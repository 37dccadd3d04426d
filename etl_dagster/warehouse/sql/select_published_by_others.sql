-- What was published until some moment, and whether nothing clears it for as long now: PROVEN_PHONES
-- has what the services said.
SELECT
    o.phone,
    MAX(o.callable_until) AS published_until,
    MAX(IFF(p.phone IS NULL OR p.callable_until < o.callable_until, 1, 0)) AS unproven
FROM (
    {published}
) AS o
LEFT JOIN PROVEN_PHONES AS p ON p.phone = o.phone
GROUP BY o.phone
