-- What the campaigns returned, before duplicates are taken out; lives as long as the session.
CREATE OR REPLACE TEMPORARY TABLE EXTRACTED (
    campaign VARCHAR,
    lead_id VARCHAR(64),
    first_name VARCHAR,
    last_name VARCHAR,
    address VARCHAR,
    city VARCHAR,
    state VARCHAR,
    zip VARCHAR,
    first_key VARCHAR,
    last_key VARCHAR,
    street_key VARCHAR,
    zip_key VARCHAR,
    phone_1_raw VARCHAR,
    phone_2_raw VARCHAR,
    phone_3_raw VARCHAR,
    email_1 VARCHAR,
    email_2 VARCHAR,
    email_3 VARCHAR,
    attributes VARIANT
)
