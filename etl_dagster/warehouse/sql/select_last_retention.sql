-- The last record of what was removed.
SELECT position, digest
FROM RETENTIONS
ORDER BY position DESC
LIMIT 1
