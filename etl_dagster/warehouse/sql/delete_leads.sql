DELETE FROM LEADS WHERE lead_date = %(lead_date)s AND chunk = %(chunk)s {campaigns}
