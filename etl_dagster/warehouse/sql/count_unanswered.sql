-- Phones of the chunk without an answer that a service might give when asked again.
SELECT COUNT(*)
FROM CHUNK_EVIDENCE
WHERE COALESCE({source}_verdict, 'UNKNOWN') = 'UNKNOWN'
    AND COALESCE({source}_reason, '') NOT IN ('invalid', 'rejected_400', 'do_not_call_today')
