-- The ledger: rows are appended and never updated.
CREATE TABLE IF NOT EXISTS PHONE_VERDICTS (
    lead_date DATE NOT NULL,
    chunk NUMBER(5, 0) NOT NULL,
    phone NUMBER(10, 0) NOT NULL,
    source VARCHAR NOT NULL,
    verdict VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    list_versions VARCHAR NOT NULL,
    checked_at TIMESTAMP_NTZ NOT NULL,
    valid_until TIMESTAMP_NTZ,
    policy_hash VARCHAR NOT NULL,
    evidence_hash VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    batch_id VARCHAR NOT NULL
)
