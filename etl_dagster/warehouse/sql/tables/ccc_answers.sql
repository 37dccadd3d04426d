-- The bodies of CCC's answers, one a batch that has one, compressed: rows are appended and never
-- updated. Text, because a Parquet file's binary columns are loaded as text by default.
CREATE TABLE IF NOT EXISTS CCC_ANSWERS (
    batch_id VARCHAR NOT NULL,
    lead_date DATE NOT NULL,
    chunk NUMBER(5, 0) NOT NULL,
    evidence_hash VARCHAR(64) NOT NULL,
    endpoint VARCHAR NOT NULL,
    answered_at TIMESTAMP_NTZ NOT NULL,
    byte_count NUMBER(10, 0) NOT NULL,
    encoding VARCHAR NOT NULL,
    body VARCHAR NOT NULL
)
