-- From when to when calling hours are stored, and how many windows a local calendar day has: all,
-- and those that are not over yet.
SELECT
    MIN(call_date) AS first_day,
    MAX(call_date) AS last_day,
    COUNT_IF(call_date = %(call_date)s::DATE) AS windows,
    COUNT_IF(call_date = %(call_date)s::DATE AND to_utc > SYSDATE()) AS windows_left
FROM CALL_WINDOWS
