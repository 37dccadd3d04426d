-- What may be dialled at the moment of the query and at this hour: of CALLABLE_NOW the phones for
-- which now is within the calling hours of address and area code. A lead without a place or a
-- window is not shown. Were a window ever stored twice, the narrower counts.
CREATE OR REPLACE VIEW CALLABLE_WITHIN_HOURS COPY GRANTS AS
WITH windows AS (
    SELECT address_rule, area_rule, MAX(from_utc) AS from_utc, MIN(to_utc) AS to_utc
    FROM CALL_WINDOWS
    GROUP BY call_date, address_rule, area_rule
),
open_windows AS (
    SELECT address_rule, area_rule, MAX(from_utc) AS from_utc, MIN(to_utc) AS to_utc
    FROM windows
    WHERE from_utc <= SYSDATE() AND to_utc > SYSDATE()
    GROUP BY address_rule, area_rule
),
{within_hours}
SELECT
    lead_date, campaign, lead_id, first_name, last_name, address, city, state, zip,
    phone_1, phone_2, phone_3, email_1, email_2, email_3, attributes,
    callable_until, published_at, call_from_utc, call_to_utc
FROM within_hours
