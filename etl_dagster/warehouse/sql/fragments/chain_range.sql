-- The chains from one to another, both included, in the order of day, chunk and source.
lead_date BETWEEN %(first_date)s AND %(last_date)s
    AND (lead_date > %(first_date)s OR chunk > %(first_chunk)s
        OR (chunk = %(first_chunk)s AND source >= %(first_source)s))
    AND (lead_date < %(last_date)s OR chunk < %(last_chunk)s
        OR (chunk = %(last_chunk)s AND source <= %(last_source)s))
