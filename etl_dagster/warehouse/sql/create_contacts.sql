-- The three best phones and e-mails of the leads whose campaign gave none: valid phones first,
-- then by rank. Only these leads' contacts are read, and nobody's without street or ZIP, since many
-- people have one name. People are numbered meanwhile: grouping by a
-- number is quicker than by a lead's id. By that id, which is unique: the numbers are read twice, and
-- must be the same however often an engine makes them.
CREATE OR REPLACE TEMPORARY TABLE LEAD_CONTACTS AS
WITH wanted AS (
    SELECT
        lead_id, first_key, last_key, street_key, zip_key,
        ROW_NUMBER() OVER (ORDER BY lead_id) AS person
    FROM (
        SELECT
            lead_id,
            MIN(first_key) AS first_key,
            MIN(last_key) AS last_key,
            MIN(street_key) AS street_key,
            MIN(zip_key) AS zip_key
        FROM EXTRACTED
        WHERE lead_id IS NOT NULL
            AND COALESCE(phone_1_raw, phone_2_raw, phone_3_raw) IS NULL
            AND street_key <> '' AND zip_key <> ''
        GROUP BY lead_id
    )
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
    SELECT w.person, c.phone_raw, c.email, c.rank, {phone_number} AS phone
    FROM wanted AS w
    JOIN candidates AS c
        ON c.zip_key = w.zip_key AND c.last_key = w.last_key
        AND c.first_key = w.first_key AND c.street_key = w.street_key
),
phones AS (
    SELECT
        person, phone_raw,
        ROW_NUMBER() OVER (
            PARTITION BY person ORDER BY IFF(phone IS NULL, 1, 0), rank, phone_raw
        ) AS place
    FROM (
        SELECT person, phone_raw, phone, rank
        FROM found
        WHERE phone_raw IS NOT NULL
        QUALIFY ROW_NUMBER() OVER (
            PARTITION BY person, COALESCE(phone::VARCHAR, phone_raw) ORDER BY rank, phone_raw
        ) = 1
    )
),
emails AS (
    SELECT
        person, email,
        ROW_NUMBER() OVER (PARTITION BY person ORDER BY rank, email) AS place
    FROM (
        SELECT person, email, rank
        FROM found
        WHERE email IS NOT NULL
        QUALIFY ROW_NUMBER() OVER (PARTITION BY person, LOWER(email) ORDER BY rank, email) = 1
    )
),
best AS (
    SELECT
        person,
        MAX(IFF(kind = 'phone' AND place = 1, text, NULL)) AS phone_1_raw,
        MAX(IFF(kind = 'phone' AND place = 2, text, NULL)) AS phone_2_raw,
        MAX(IFF(kind = 'phone' AND place = 3, text, NULL)) AS phone_3_raw,
        MAX(IFF(kind = 'email' AND place = 1, text, NULL)) AS email_1,
        MAX(IFF(kind = 'email' AND place = 2, text, NULL)) AS email_2,
        MAX(IFF(kind = 'email' AND place = 3, text, NULL)) AS email_3
    FROM (
        SELECT person, 'phone' AS kind, place, phone_raw AS text FROM phones WHERE place <= 3
        UNION ALL
        SELECT person, 'email' AS kind, place, email AS text FROM emails WHERE place <= 3
    )
    GROUP BY person
)
SELECT
    w.lead_id, b.phone_1_raw, b.phone_2_raw, b.phone_3_raw, b.email_1, b.email_2, b.email_3
FROM best AS b
JOIN wanted AS w ON w.person = b.person
