-- One row per batch of ledger rows; digests chain per (lead_date, chunk, source).
CREATE TABLE IF NOT EXISTS SCRUB_BATCHES (
    batch_id VARCHAR NOT NULL,
    lead_date DATE NOT NULL,
    chunk NUMBER(5, 0) NOT NULL,
    source VARCHAR NOT NULL,
    position NUMBER(10, 0) NOT NULL,
    row_count NUMBER(10, 0) NOT NULL,
    digest VARCHAR(64) NOT NULL,
    prev_digest VARCHAR(64) NOT NULL,
    endpoint VARCHAR NOT NULL,
    deployment VARCHAR NOT NULL,
    created_at TIMESTAMP_NTZ NOT NULL
)
