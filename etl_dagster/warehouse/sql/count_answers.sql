-- CCC's answers on record for a day, by the address that gave them. A batch is one answered
-- request; those in which no phone was answered stand for requests that failed or were never sent.
WITH answered AS (
    SELECT batch_id, COUNT(*) AS phones
    FROM PHONE_VERDICTS
    WHERE lead_date = %(lead_date)s AND source = 'ccc' AND verdict <> 'UNKNOWN'
    GROUP BY batch_id
)
SELECT b.endpoint, COUNT(*) AS requests, SUM(a.phones) AS phones
FROM SCRUB_BATCHES AS b
JOIN answered AS a ON a.batch_id = b.batch_id
WHERE b.lead_date = %(lead_date)s AND b.source = 'ccc'
GROUP BY b.endpoint
ORDER BY b.endpoint
