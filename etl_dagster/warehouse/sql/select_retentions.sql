-- Everything that was removed because its time was up, in the order in which it was.
SELECT
    position, retention_id, table_name, day, row_count, oldest, newest, kept_days, digests,
    removed_at, removed_by, digest, prev_digest
FROM RETENTIONS
ORDER BY position, digest
