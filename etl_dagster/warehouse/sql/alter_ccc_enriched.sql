-- For tables that were made before there was a second service; theirs are the litigator scrub's.
ALTER TABLE CCC_ENRICHED ADD COLUMN IF NOT EXISTS source VARCHAR
