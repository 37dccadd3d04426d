-- Phones of the chunk without an answer that CCC might give when asked again.
SELECT COUNT(*)
FROM CHUNK_EVIDENCE
WHERE COALESCE(ccc_verdict, 'UNKNOWN') = 'UNKNOWN'
    AND COALESCE(ccc_reason, '') NOT IN ('invalid', 'rejected_400')
