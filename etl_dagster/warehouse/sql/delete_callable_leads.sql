-- Retracts: what this partition published before, and what an older one published of its leads.
DELETE FROM CALLABLE_LEADS
WHERE chunk = %(chunk)s
    AND (
        lead_date = %(lead_date)s
        OR (
            lead_date < %(lead_date)s
            AND EXISTS (
                SELECT 1 FROM LEADS AS l
                WHERE l.lead_date = %(lead_date)s AND l.chunk = %(chunk)s
                    AND l.lead_id = CALLABLE_LEADS.lead_id
                    AND l.campaign = CALLABLE_LEADS.campaign
            )
        )
    )
