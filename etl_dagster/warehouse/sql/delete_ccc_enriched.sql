DELETE FROM CCC_ENRICHED WHERE lead_date = %(lead_date)s AND chunk = %(chunk)s
    AND COALESCE(source, 'ccc') = '{source}'
