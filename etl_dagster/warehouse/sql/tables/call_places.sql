-- What an area code or an address says of the calling hours: one rule each, the same text for the
-- same hours and zones. Public facts and the policy's hours; nothing about any person.
CREATE TABLE IF NOT EXISTS CALL_PLACES (
    kind VARCHAR NOT NULL,
    place VARCHAR NOT NULL,
    rule VARCHAR NOT NULL,
    basis VARCHAR NOT NULL
)
