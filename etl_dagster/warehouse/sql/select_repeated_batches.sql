-- Batches of some days whose id another batch has, too.
SELECT lead_date, chunk, source, position, batch_id
FROM SCRUB_BATCHES
WHERE lead_date BETWEEN %(first)s AND %(last)s
    AND batch_id IN (SELECT batch_id FROM SCRUB_BATCHES GROUP BY batch_id HAVING COUNT(*) > 1)
ORDER BY batch_id, lead_date, chunk, source, position
