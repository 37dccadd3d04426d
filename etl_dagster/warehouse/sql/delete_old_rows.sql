-- The rows of a table of one day.
DELETE FROM {table}
WHERE {day} = %(day)s
