-- Each source's newest word on a phone as of a moment, from whatever day it is.
SELECT
    v.lead_date, v.chunk, v.phone, v.source, v.verdict, v.reason, v.list_versions, v.checked_at,
    v.valid_until, v.policy_hash, v.evidence_hash, v.run_id, v.batch_id
FROM PHONE_VERDICTS AS v
WHERE v.phone = %(phone)s AND v.checked_at <= %(moment)s
QUALIFY {newest_first} = 1
ORDER BY v.source
