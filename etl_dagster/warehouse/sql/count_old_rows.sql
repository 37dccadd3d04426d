-- The rows of a table by day, up to the last day whose time may be up; `last_use` is the last
-- moment at which a call could rest on them.
SELECT
    {day} AS day, COUNT(*) AS row_count, MIN({written}) AS oldest, MAX({written}) AS newest,
    MAX({last_use}) AS last_use
FROM {table}
WHERE {day} < %(before)s
GROUP BY {day}
ORDER BY {day}
