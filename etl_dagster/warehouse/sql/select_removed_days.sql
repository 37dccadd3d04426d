-- The days whose leads were removed because their time was up.
SELECT DISTINCT day
FROM RETENTIONS
WHERE table_name = 'LEADS'
