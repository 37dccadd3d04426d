-- The chunk's distinct phones by CCC verdict.
SELECT COALESCE(ccc_verdict, 'UNKNOWN') AS verdict, COUNT(*) AS phones
FROM CHUNK_EVIDENCE
GROUP BY 1
