-- The phones that LEADS would hold of the day after a run, with the chunks they would be in: of the
-- leads that were extracted, and of those that stay because their campaign did not run.
CREATE OR REPLACE TEMPORARY TABLE DAY_PHONES AS
WITH stored AS (
    SELECT chunk, phone_1, phone_2, phone_3 FROM DAY_LEADS WHERE NOT still_valid
    UNION ALL
    SELECT chunk, phone_1, phone_2, phone_3 FROM LEADS
    WHERE lead_date = %(lead_date)s AND {stays}
)
{phones}
