-- Tables that were made before decisions had a moment; what was decided then has none.
ALTER TABLE DNC_FILTERED ADD COLUMN IF NOT EXISTS decided_at TIMESTAMP_NTZ
