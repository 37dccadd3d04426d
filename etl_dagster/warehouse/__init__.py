"""The Snowflake side: sessions, tables, and every SQL statement."""
