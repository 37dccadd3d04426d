-- When the first Do-Not-Call verdict of each day was decided, if long enough ago to matter.
SELECT lead_date, MIN(checked_at) AS oldest
FROM PHONE_VERDICTS
WHERE source = 'dnc' AND checked_at < %(before)s
GROUP BY lead_date
