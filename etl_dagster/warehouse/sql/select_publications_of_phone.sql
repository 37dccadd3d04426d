-- Where a phone is published.
SELECT lead_date, campaign, lead_id, published_at, callable_until, policy_hash, run_id
FROM CALLABLE_LEADS
WHERE phone_1 = %(phone)s OR phone_2 = %(phone)s OR phone_3 = %(phone)s
ORDER BY lead_date, campaign, lead_id
