-- The company's own table of opt-outs: phones (NULL where none can be read) and moments, no more.
SELECT {phone} AS phone, t.requested_at
FROM (SELECT o.phone::VARCHAR AS phone, o.requested_at FROM {table} AS o) AS t
