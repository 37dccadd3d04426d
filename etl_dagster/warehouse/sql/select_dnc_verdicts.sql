-- Every Do-Not-Call verdict of a chunk, as it was decided and by what.
SELECT
    lead_date, chunk, phone, verdict, reason, valid_until, list_versions, checked_at, policy_hash
FROM PHONE_VERDICTS
WHERE lead_date = %(lead_date)s AND chunk = %(chunk)s AND source = 'dnc'
