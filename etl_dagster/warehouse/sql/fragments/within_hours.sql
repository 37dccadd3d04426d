-- The phones of CALLABLE_NOW that may be called within the windows of the CTE open_windows (at most
-- one row for a pair of address_rule and area_rule, from_utc before to_utc), and the span that the
-- phones of a row share. The first phone with a window begins; each later one narrows the span, or
-- is NULL where it shares nothing with it. A window ends with callable_until at the latest. A place
-- that was stored with two rules has none.
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
first_span AS (
    SELECT
        c.lead_date, c.campaign, c.lead_id,
        c.first_name, c.last_name, c.address, c.city, c.state, c.zip,
        IFF(w1.area_code IS NULL, NULL, c.phone_1) AS phone_1, c.phone_2, c.phone_3,
        c.email_1, c.email_2, c.email_3, c.attributes, c.callable_until, c.published_at,
        w1.from_utc AS from_1, LEAST(w1.to_utc, c.callable_until) AS to_1,
        w2.from_utc AS from_2, LEAST(w2.to_utc, c.callable_until) AS to_2,
        w3.from_utc AS from_3, LEAST(w3.to_utc, c.callable_until) AS to_3
    FROM CALLABLE_NOW AS c
    JOIN places AS p
        ON p.kind = 'address'
        AND p.place = CONCAT(
            COALESCE(UPPER(TRIM(c.state)), ''), '-', COALESCE(LEFT(TRIM(c.zip), 3), '')
        )
    LEFT JOIN areas AS w1
        ON w1.area_code = LEFT(TO_VARCHAR(c.phone_1), 3) AND w1.address_rule = p.rule
        AND w1.from_utc < c.callable_until
    LEFT JOIN areas AS w2
        ON w2.area_code = LEFT(TO_VARCHAR(c.phone_2), 3) AND w2.address_rule = p.rule
        AND w2.from_utc < c.callable_until
    LEFT JOIN areas AS w3
        ON w3.area_code = LEFT(TO_VARCHAR(c.phone_3), 3) AND w3.address_rule = p.rule
        AND w3.from_utc < c.callable_until
),
second_shared AS (
    SELECT
        *,
        from_2 IS NOT NULL AND (from_1 IS NULL OR (from_1 < to_2 AND from_2 < to_1)) AS has_2
    FROM first_span
),
second_span AS (
    SELECT
        *,
        IFF(has_2, GREATEST(COALESCE(from_1, from_2), from_2), from_1) AS from_12,
        IFF(has_2, LEAST(COALESCE(to_1, to_2), to_2), to_1) AS to_12
    FROM second_shared
),
third_shared AS (
    SELECT
        *,
        from_3 IS NOT NULL AND (from_12 IS NULL OR (from_12 < to_3 AND from_3 < to_12)) AS has_3
    FROM second_span
),
within_hours AS (
    SELECT
        lead_date, campaign, lead_id, first_name, last_name, address, city, state, zip,
        phone_1, IFF(has_2, phone_2, NULL) AS phone_2, IFF(has_3, phone_3, NULL) AS phone_3,
        email_1, email_2, email_3, attributes, callable_until, published_at,
        IFF(has_3, GREATEST(COALESCE(from_12, from_3), from_3), from_12) AS call_from_utc,
        IFF(has_3, LEAST(COALESCE(to_12, to_3), to_3), to_12) AS call_to_utc
    FROM third_shared
    WHERE from_12 IS NOT NULL OR has_3
)
