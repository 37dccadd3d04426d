CREATE OR REPLACE VIEW LATEST_VERDICTS COPY GRANTS AS
SELECT
    v.phone, v.source, v.verdict, v.reason, v.list_versions, v.checked_at, v.valid_until,
    v.policy_hash
FROM PHONE_VERDICTS AS v
QUALIFY {newest_first} = 1
