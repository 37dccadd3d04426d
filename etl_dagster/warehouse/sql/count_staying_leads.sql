-- Leads of the day that a run leaves as they are, because their campaign does not run.
SELECT COUNT(*) FROM LEADS WHERE lead_date = %(lead_date)s AND {stays}
