-- Stored leads that today's number of chunks would put elsewhere; a sample is enough, since a
-- changed number moves most of them.
SELECT COUNT(*)
FROM (SELECT lead_id, chunk FROM LEADS LIMIT 1000) AS l
WHERE chunk <> {chunk}
