-- For tables that were made before exports knew the day of the calls; theirs stay NULL.
ALTER TABLE EXPORTS ADD COLUMN IF NOT EXISTS call_date DATE
