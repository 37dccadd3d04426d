CREATE TABLE IF NOT EXISTS CCC_ENRICHED (
    lead_date DATE NOT NULL,
    chunk NUMBER(5, 0) NOT NULL,
    lead_id VARCHAR(64) NOT NULL,
    campaign VARCHAR NOT NULL,
    phone_1_ccc VARCHAR,
    phone_2_ccc VARCHAR,
    phone_3_ccc VARCHAR,
    phone_1_reason VARCHAR,
    phone_2_reason VARCHAR,
    phone_3_reason VARCHAR,
    phone_1_checked_at TIMESTAMP_NTZ,
    phone_2_checked_at TIMESTAMP_NTZ,
    phone_3_checked_at TIMESTAMP_NTZ,
    run_id VARCHAR NOT NULL,
    source VARCHAR
)
