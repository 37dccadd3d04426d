-- One row per (lead_id, campaign); phones that may not be called are NULL.
CREATE TABLE IF NOT EXISTS CALLABLE_LEADS (
    lead_id VARCHAR(64) NOT NULL,
    campaign VARCHAR NOT NULL,
    lead_date DATE NOT NULL,
    chunk NUMBER(5, 0) NOT NULL,
    phone_1 NUMBER(10, 0),
    phone_2 NUMBER(10, 0),
    phone_3 NUMBER(10, 0),
    callable_until TIMESTAMP_NTZ NOT NULL,
    published_at TIMESTAMP_NTZ NOT NULL,
    policy_hash VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL
)
