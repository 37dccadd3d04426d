-- What was handed to a dialler, a row a file: rows are appended and never updated.
CREATE TABLE IF NOT EXISTS EXPORTS (
    export_id VARCHAR NOT NULL,
    exported_at TIMESTAMP_NTZ NOT NULL,
    lead_date DATE,
    campaigns VARCHAR NOT NULL,
    row_count NUMBER(12, 0) NOT NULL,
    phone_count NUMBER(12, 0) NOT NULL,
    sha256 VARCHAR(64) NOT NULL,
    file_format VARCHAR NOT NULL,
    file_name VARCHAR NOT NULL,
    policy_hash VARCHAR NOT NULL,
    list_versions VARCHAR NOT NULL,
    accepted_checks VARCHAR NOT NULL,
    exported_by VARCHAR NOT NULL,
    call_date DATE
)
