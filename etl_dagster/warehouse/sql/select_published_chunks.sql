-- The chunks with leads that may still be dialled, published under another policy than one.
SELECT DISTINCT lead_date, chunk
FROM CALLABLE_LEADS
WHERE callable_until > %(moment)s AND policy_hash <> %(other_than)s
ORDER BY lead_date, chunk
