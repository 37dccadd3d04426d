-- The three best phones and e-mails of the leads whose campaign gave none: valid phones first,
-- then by rank. Only these leads' contacts are read.
CREATE OR REPLACE TEMPORARY TABLE LEAD_CONTACTS AS
WITH wanted AS (
    SELECT DISTINCT lead_id, first_key, last_key, street_key, zip_key
    FROM EXTRACTED
    WHERE lead_id IS NOT NULL
        AND COALESCE(phone_1_raw, phone_2_raw, phone_3_raw) IS NULL
),
candidates AS (
    SELECT
        {first_key} AS first_key,
        {last_key} AS last_key,
        {street_key} AS street_key,
        COALESCE({zip_key}, '') AS zip_key,
        NULLIF(TRIM(c.phone), '') AS phone_raw,
        NULLIF(TRIM(c.email), '') AS email,
        c.rank
    FROM {contacts_table} AS c
),
found AS (
    SELECT w.lead_id, c.phone_raw, c.email, c.rank, {phone_number} AS phone
    FROM wanted AS w
    JOIN candidates AS c
        ON c.zip_key = w.zip_key AND c.last_key = w.last_key
        AND c.first_key = w.first_key AND c.street_key = w.street_key
),
phones AS (
    SELECT
        lead_id, phone_raw,
        ROW_NUMBER() OVER (
            PARTITION BY lead_id ORDER BY IFF(phone IS NULL, 1, 0), rank, phone_raw
        ) AS place
    FROM (
        SELECT lead_id, phone_raw, phone, rank
        FROM found
        WHERE phone_raw IS NOT NULL
        QUALIFY ROW_NUMBER() OVER (
            PARTITION BY lead_id, COALESCE(phone::VARCHAR, phone_raw) ORDER BY rank, phone_raw
        ) = 1
    )
),
emails AS (
    SELECT
        lead_id, email,
        ROW_NUMBER() OVER (PARTITION BY lead_id ORDER BY rank, email) AS place
    FROM (
        SELECT lead_id, email, rank
        FROM found
        WHERE email IS NOT NULL
        QUALIFY ROW_NUMBER() OVER (PARTITION BY lead_id, LOWER(email) ORDER BY rank, email) = 1
    )
)
SELECT
    lead_id,
    MAX(IFF(kind = 'phone' AND place = 1, text, NULL)) AS phone_1_raw,
    MAX(IFF(kind = 'phone' AND place = 2, text, NULL)) AS phone_2_raw,
    MAX(IFF(kind = 'phone' AND place = 3, text, NULL)) AS phone_3_raw,
    MAX(IFF(kind = 'email' AND place = 1, text, NULL)) AS email_1,
    MAX(IFF(kind = 'email' AND place = 2, text, NULL)) AS email_2,
    MAX(IFF(kind = 'email' AND place = 3, text, NULL)) AS email_3
FROM (
    SELECT lead_id, 'phone' AS kind, place, phone_raw AS text FROM phones WHERE place <= 3
    UNION ALL
    SELECT lead_id, 'email' AS kind, place, email AS text FROM emails WHERE place <= 3
)
GROUP BY lead_id
