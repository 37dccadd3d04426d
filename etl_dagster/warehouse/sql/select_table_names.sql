-- The tables and views of the current schema that this role may see.
SELECT table_name
FROM INFORMATION_SCHEMA.TABLES
WHERE table_schema = CURRENT_SCHEMA()
UNION
SELECT table_name
FROM INFORMATION_SCHEMA.VIEWS
WHERE table_schema = CURRENT_SCHEMA()
