INSERT INTO POLICIES (policy_hash, text, code_version, first_used_at, first_run_id)
SELECT
    %(policy_hash)s, %(text)s, %(code_version)s, %(first_used_at)s::TIMESTAMP_NTZ,
    %(first_run_id)s
WHERE NOT EXISTS (
    SELECT 1 FROM POLICIES
    WHERE policy_hash = %(policy_hash)s AND code_version = %(code_version)s
)
