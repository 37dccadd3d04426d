-- The chunks of a day that have Do-Not-Call verdicts, or that were decided by those of others.
SELECT chunk FROM PHONE_VERDICTS WHERE lead_date = %(lead_date)s AND source = 'dnc'
UNION
SELECT chunk FROM DNC_FILTERED WHERE lead_date = %(lead_date)s
ORDER BY chunk
