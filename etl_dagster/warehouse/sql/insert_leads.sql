INSERT INTO LEADS
SELECT
    %(lead_date)s, chunk, lead_id, campaign,
    first_name, last_name, address, city, state, zip,
    phone_1, phone_2, phone_3, phone_1_raw, phone_2_raw, phone_3_raw,
    email_1, email_2, email_3, attributes,
    %(moment)s, %(run_id)s
FROM DAY_LEADS
WHERE chunk = %(chunk)s AND NOT still_valid
