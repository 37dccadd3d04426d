-- The order that makes a phone's newest ledger row of a source the first, whatever it says: a
-- later UNKNOWN replaces an earlier CLEAR; of two rows of one moment the one that blocks counts,
-- and of two that do not, the one that is valid for less.
ROW_NUMBER() OVER (
    PARTITION BY v.phone, v.source
    ORDER BY v.checked_at DESC,
        CASE v.verdict WHEN 'LISTED' THEN 0 WHEN 'UNKNOWN' THEN 1 ELSE 2 END,
        v.valid_until ASC NULLS FIRST
)
