-- Distinct phones of the chunk's published leads that may still be dialled.
SELECT phone_1 AS phone FROM CALLABLE_LEADS
WHERE lead_date = %(lead_date)s AND chunk = %(chunk)s AND callable_until > %(moment)s
    AND phone_1 IS NOT NULL
UNION
SELECT phone_2 FROM CALLABLE_LEADS
WHERE lead_date = %(lead_date)s AND chunk = %(chunk)s AND callable_until > %(moment)s
    AND phone_2 IS NOT NULL
UNION
SELECT phone_3 FROM CALLABLE_LEADS
WHERE lead_date = %(lead_date)s AND chunk = %(chunk)s AND callable_until > %(moment)s
    AND phone_3 IS NOT NULL
