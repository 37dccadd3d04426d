-- What may be dialled at the moment of the query and at this hour: of CALLABLE_NOW the phones for
-- which now is within the calling hours of address and area code. A lead without a place or a
-- window is not shown. Were a place or a window ever stored twice, the narrower counts, and a place
-- with two rules has none.
CREATE OR REPLACE VIEW CALLABLE_WITHIN_HOURS COPY GRANTS AS
WITH open_windows AS (
    SELECT
        address_rule, area_rule,
        MAX(from_utc) AS from_utc, MIN(to_utc) AS to_utc
    FROM CALL_WINDOWS
    WHERE from_utc <= SYSDATE() AND to_utc > SYSDATE()
    GROUP BY address_rule, area_rule
),
places AS (
    SELECT kind, place, MIN(rule) AS rule
    FROM CALL_PLACES
    GROUP BY kind, place
    HAVING MIN(rule) = MAX(rule)
),
areas AS (
    SELECT a.place AS area_code, w.address_rule, w.from_utc, w.to_utc
    FROM places AS a
    JOIN open_windows AS w ON w.area_rule = a.rule
    WHERE a.kind = 'area code'
),
phones AS (
    SELECT
        c.lead_date, c.campaign, c.lead_id,
        c.first_name, c.last_name, c.address, c.city, c.state, c.zip,
        IFF(w1.area_code IS NULL, NULL, c.phone_1) AS phone_1,
        IFF(w2.area_code IS NULL, NULL, c.phone_2) AS phone_2,
        IFF(w3.area_code IS NULL, NULL, c.phone_3) AS phone_3,
        c.email_1, c.email_2, c.email_3, c.attributes, c.callable_until, c.published_at,
        GREATEST(
            COALESCE(w1.from_utc, '0001-01-01'::TIMESTAMP_NTZ),
            COALESCE(w2.from_utc, '0001-01-01'::TIMESTAMP_NTZ),
            COALESCE(w3.from_utc, '0001-01-01'::TIMESTAMP_NTZ)
        ) AS call_from_utc,
        LEAST(
            COALESCE(w1.to_utc, '9999-12-31'::TIMESTAMP_NTZ),
            COALESCE(w2.to_utc, '9999-12-31'::TIMESTAMP_NTZ),
            COALESCE(w3.to_utc, '9999-12-31'::TIMESTAMP_NTZ),
            c.callable_until
        ) AS call_to_utc
    FROM CALLABLE_NOW AS c
    JOIN places AS p
        ON p.kind = 'address'
        AND p.place = CONCAT(
            COALESCE(UPPER(TRIM(c.state)), ''), '-', COALESCE(LEFT(TRIM(c.zip), 3), '')
        )
    LEFT JOIN areas AS w1
        ON w1.area_code = LEFT(TO_VARCHAR(c.phone_1), 3) AND w1.address_rule = p.rule
    LEFT JOIN areas AS w2
        ON w2.area_code = LEFT(TO_VARCHAR(c.phone_2), 3) AND w2.address_rule = p.rule
    LEFT JOIN areas AS w3
        ON w3.area_code = LEFT(TO_VARCHAR(c.phone_3), 3) AND w3.address_rule = p.rule
)
SELECT
    lead_date, campaign, lead_id, first_name, last_name, address, city, state, zip,
    phone_1, phone_2, phone_3, email_1, email_2, email_3, attributes,
    callable_until, published_at, call_from_utc, call_to_utc
FROM phones
WHERE COALESCE(phone_1, phone_2, phone_3) IS NOT NULL
