SELECT
    export_id, exported_at, lead_date, campaigns, row_count, phone_count, sha256, file_format,
    file_name, policy_hash, list_versions, accepted_checks, exported_by, call_date
FROM EXPORTS
ORDER BY exported_at DESC, export_id
LIMIT %(most)s
