SELECT policy_hash, text, code_version, first_used_at, first_run_id
FROM POLICIES
ORDER BY first_used_at, policy_hash, code_version
