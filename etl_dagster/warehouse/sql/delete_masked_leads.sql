DELETE FROM CALLABLE_LEADS
WHERE lead_date = %(lead_date)s AND chunk = %(chunk)s
    AND COALESCE(phone_1, phone_2, phone_3) IS NULL
