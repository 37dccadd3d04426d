-- The chains of some days with the number of their ledger rows, whichever table knows of them.
SELECT lead_date, chunk, source, SUM(row_count) AS row_count
FROM (
    SELECT lead_date, chunk, source, COUNT(*) AS row_count
    FROM PHONE_VERDICTS
    WHERE lead_date BETWEEN %(first)s AND %(last)s
    GROUP BY lead_date, chunk, source
    UNION ALL
    SELECT DISTINCT lead_date, chunk, source, 0 AS row_count
    FROM SCRUB_BATCHES
    WHERE lead_date BETWEEN %(first)s AND %(last)s
) AS known
GROUP BY lead_date, chunk, source
