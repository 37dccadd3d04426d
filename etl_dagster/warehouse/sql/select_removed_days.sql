-- The days whose leads were removed because their time was up, and when the last of them were.
SELECT day, MAX(removed_at) AS removed_at
FROM RETENTIONS
WHERE table_name = 'LEADS'
GROUP BY day
