-- One campaign's rows, normalised. A row without both names has no identity: its lead_id is NULL,
-- so that it is counted and left out. Without street or ZIP a name is many people's: whoever has the
-- same phones is the same.
INSERT INTO EXTRACTED
SELECT
    '{campaign}',
    IFF(
        first_key = '' OR last_key = '',
        NULL,
        SHA2(
            first_key || '|' || last_key || '|' || street_key || '|' || zip_key
            || IFF(
                street_key = '' OR zip_key = '',
                '|' || REGEXP_REPLACE(
                    CONCAT_WS('|', NVL(phone_1_raw, ''), NVL(phone_2_raw, ''), NVL(phone_3_raw, '')),
                    '[^0-9|]'
                ),
                ''
            ),
            256
        )
    ),
    first_name, last_name, address, city, state, NULLIF(zip_key, ''),
    first_key, last_key, street_key, zip_key,
    phone_1_raw, phone_2_raw, phone_3_raw,
    email_1, email_2, email_3,
    attributes
FROM (
    SELECT
        keyed.*,
        {first_key} AS first_key,
        {last_key} AS last_key,
        {street_key} AS street_key,
        COALESCE({zip_key}, '') AS zip_key
    FROM (
        SELECT
            {columns},
            {attributes} AS attributes
        FROM (
{campaign_sql}
        ) AS campaign
    ) AS keyed
) AS leads
