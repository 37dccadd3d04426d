-- What is stored of the calling hours: per table and basis the number of rows.
SELECT 'CALL_PLACES' AS stored, basis, COUNT(*) AS stored_rows FROM CALL_PLACES GROUP BY basis
UNION ALL
SELECT 'CALL_WINDOWS', basis, COUNT(*) FROM CALL_WINDOWS GROUP BY basis
