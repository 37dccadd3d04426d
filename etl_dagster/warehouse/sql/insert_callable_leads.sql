INSERT INTO CALLABLE_LEADS
SELECT
    lead_id, campaign, lead_date, chunk, phone_1, phone_2, phone_3,
    callable_until, published_at, %(policy_hash)s, %(run_id)s
FROM PUBLISHABLE
