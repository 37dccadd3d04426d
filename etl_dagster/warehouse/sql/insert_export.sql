INSERT INTO EXPORTS (
    export_id, exported_at, lead_date, campaigns, row_count, phone_count, sha256, file_format,
    file_name, policy_hash, list_versions, accepted_checks, exported_by, call_date
)
SELECT
    %(export_id)s, %(exported_at)s::TIMESTAMP_NTZ, %(lead_date)s::DATE, %(campaigns)s,
    %(row_count)s, %(phone_count)s, %(sha256)s, %(file_format)s, %(file_name)s, %(policy_hash)s,
    %(list_versions)s, %(accepted_checks)s, %(exported_by)s,
    %(call_date)s::DATE
