-- Retracts what an older day published of this partition's leads.
DELETE FROM CALLABLE_LEADS
WHERE chunk = %(chunk)s
    AND lead_date < %(lead_date)s
    AND (lead_id, campaign) IN (
        SELECT lead_id, campaign FROM LEADS WHERE lead_date = %(lead_date)s AND chunk = %(chunk)s
    )
