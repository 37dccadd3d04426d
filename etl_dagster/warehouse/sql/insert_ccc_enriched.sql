-- Every phone of every lead with its newest answer of a service; a phone without one is UNKNOWN.
INSERT INTO CCC_ENRICHED
SELECT
    l.lead_date, l.chunk, l.lead_id, l.campaign,
    IFF(l.phone_1 IS NULL, NULL, COALESCE(e1.{source}_verdict, 'UNKNOWN')),
    IFF(l.phone_2 IS NULL, NULL, COALESCE(e2.{source}_verdict, 'UNKNOWN')),
    IFF(l.phone_3 IS NULL, NULL, COALESCE(e3.{source}_verdict, 'UNKNOWN')),
    IFF(l.phone_1 IS NULL, NULL, COALESCE(e1.{source}_reason, 'not_checked')),
    IFF(l.phone_2 IS NULL, NULL, COALESCE(e2.{source}_reason, 'not_checked')),
    IFF(l.phone_3 IS NULL, NULL, COALESCE(e3.{source}_reason, 'not_checked')),
    e1.{source}_checked_at, e2.{source}_checked_at, e3.{source}_checked_at,
    %(run_id)s, '{source}'
FROM LEADS AS l
LEFT JOIN CHUNK_EVIDENCE AS e1 ON e1.phone = l.phone_1
LEFT JOIN CHUNK_EVIDENCE AS e2 ON e2.phone = l.phone_2
LEFT JOIN CHUNK_EVIDENCE AS e3 ON e3.phone = l.phone_3
WHERE l.lead_date = %(lead_date)s AND l.chunk = %(chunk)s
