DELETE FROM DNC_FILTERED WHERE lead_date = %(lead_date)s AND chunk = %(chunk)s
