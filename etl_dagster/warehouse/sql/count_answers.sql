-- What a service of CCC was asked and answered for a day, by its address. A batch is one answered
-- request; those in which no phone was answered stand for requests that failed or were never sent.
WITH asked AS (
    SELECT
        batch_id, COUNT(*) AS phones,
        COUNT_IF(verdict <> 'UNKNOWN' OR reason = 'do_not_call_today') AS answered
    FROM PHONE_VERDICTS
    WHERE lead_date = %(lead_date)s AND source = %(source)s
    GROUP BY batch_id
)
SELECT
    b.endpoint,
    SUM(a.phones) AS asked,
    COUNT_IF(a.answered > 0) AS requests,
    SUM(a.answered) AS answered
FROM SCRUB_BATCHES AS b
JOIN asked AS a ON a.batch_id = b.batch_id
WHERE b.lead_date = %(lead_date)s AND b.source = %(source)s
GROUP BY b.endpoint
ORDER BY b.endpoint
