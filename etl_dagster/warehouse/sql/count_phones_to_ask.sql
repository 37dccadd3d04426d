-- How many phones each chunk asks CCC about. Chunks go one after the other, so the first that has a
-- phone asks and the others find the answer on record; where that does not count, each asks.
SELECT chunk, COUNT(*) AS phones
FROM (
    SELECT d.chunk, d.phone
    FROM DAY_PHONES AS d
    JOIN (
{phones_to_ask}
    ) AS a ON a.phone = d.phone
    QUALIFY %(force)s OR ROW_NUMBER() OVER (PARTITION BY d.phone ORDER BY d.chunk) = 1
) AS asked
GROUP BY chunk
ORDER BY chunk
