-- Of the phones that were published until some moment, those that nothing clears for as long now:
-- PROVEN_PHONES has what the services said, lists_until is the lists' own.
SELECT DISTINCT o.phone
FROM (
    {published}
) AS o
LEFT JOIN PROVEN_PHONES AS p ON p.phone = o.phone
WHERE p.phone IS NULL OR p.callable_until < o.callable_until
    OR %(lists_until)s::TIMESTAMP_NTZ < o.callable_until
