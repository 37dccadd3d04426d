-- What one writer at a time may do, a row a name: updating the row excludes whoever updates it, too,
-- until the transaction ends. The other columns say when that was last done, and by whom.
CREATE TABLE IF NOT EXISTS LOCKS (
    name VARCHAR NOT NULL,
    times NUMBER(12, 0) NOT NULL,
    taken_at TIMESTAMP_NTZ NOT NULL,
    taken_by VARCHAR NOT NULL
)
