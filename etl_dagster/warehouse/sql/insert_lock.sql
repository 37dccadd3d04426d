-- The row of a lock, if it is missing.
INSERT INTO LOCKS (name, times, taken_at, taken_by)
SELECT %(name)s, 0, %(moment)s, %(taken_by)s
WHERE NOT EXISTS (SELECT name FROM LOCKS WHERE name = %(name)s)
