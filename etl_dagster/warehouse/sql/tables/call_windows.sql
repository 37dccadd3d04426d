-- When a call may be made that keeps the rules of the address and of the area code: the window of a
-- local calendar day, in UTC. Pairs that have no window on a day have no row.
CREATE TABLE IF NOT EXISTS CALL_WINDOWS (
    call_date DATE NOT NULL,
    address_rule VARCHAR NOT NULL,
    area_rule VARCHAR NOT NULL,
    from_utc TIMESTAMP_NTZ NOT NULL,
    to_utc TIMESTAMP_NTZ NOT NULL,
    basis VARCHAR NOT NULL
)
