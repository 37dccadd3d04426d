-- The text of each policy whose hash is in a verdict, and the release that first used it: rows are
-- appended and never updated.
CREATE TABLE IF NOT EXISTS POLICIES (
    policy_hash VARCHAR(64) NOT NULL,
    text VARCHAR NOT NULL,
    code_version VARCHAR NOT NULL,
    first_used_at TIMESTAMP_NTZ NOT NULL,
    first_run_id VARCHAR NOT NULL
)
