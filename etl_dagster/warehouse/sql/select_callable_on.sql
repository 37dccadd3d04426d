-- What may be dialled on a local calendar day, and in which span of it, in an order of its own: as
-- CALLABLE_WITHIN_HOURS, but with all windows of that day that are not over yet.
WITH open_windows AS (
    SELECT address_rule, area_rule, MAX(from_utc) AS from_utc, MIN(to_utc) AS to_utc
    FROM CALL_WINDOWS
    WHERE call_date = %(call_date)s::DATE
    GROUP BY address_rule, area_rule
    HAVING MAX(from_utc) < MIN(to_utc) AND MIN(to_utc) > SYSDATE()
),
{within_hours}
SELECT *
FROM within_hours
WHERE lead_date = COALESCE(%(lead_date)s::DATE, lead_date)
    AND ({campaigns})
ORDER BY campaign, lead_date, lead_id
