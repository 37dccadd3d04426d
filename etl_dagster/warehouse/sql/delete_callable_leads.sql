-- Retracts what this partition published before.
DELETE FROM CALLABLE_LEADS WHERE lead_date = %(lead_date)s AND chunk = %(chunk)s
