UPDATE CALLABLE_LEADS
SET {column} = NULL
FROM BLOCKED_PHONES AS b
WHERE b.phone = CALLABLE_LEADS.{column}
    AND CALLABLE_LEADS.lead_date = %(lead_date)s AND CALLABLE_LEADS.chunk = %(chunk)s
