-- Which versions of the Do-Not-Call lists were asked of late, and since when.
SELECT list_versions, MIN(checked_at) AS since
FROM PHONE_VERDICTS
WHERE source = 'dnc' AND checked_at >= %(since)s
GROUP BY list_versions
ORDER BY since
