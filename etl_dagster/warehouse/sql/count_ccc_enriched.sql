-- The chunk's distinct phones by a service's verdict.
SELECT COALESCE({source}_verdict, 'UNKNOWN') AS verdict, COUNT(*) AS phones
FROM CHUNK_EVIDENCE
GROUP BY 1
