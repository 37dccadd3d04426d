-- What was removed because its time was up, a row a table and day: rows are appended and never
-- updated, and their digests chain over the whole table. `digests` has those of the removed batches.
CREATE TABLE IF NOT EXISTS RETENTIONS (
    position NUMBER(10, 0) NOT NULL,
    retention_id VARCHAR NOT NULL,
    table_name VARCHAR NOT NULL,
    day DATE NOT NULL,
    row_count NUMBER(12, 0) NOT NULL,
    oldest TIMESTAMP_NTZ,
    newest TIMESTAMP_NTZ,
    kept_days NUMBER(6, 0) NOT NULL,
    digests VARCHAR NOT NULL,
    removed_at TIMESTAMP_NTZ NOT NULL,
    removed_by VARCHAR NOT NULL,
    digest VARCHAR(64) NOT NULL,
    prev_digest VARCHAR(64) NOT NULL
)
