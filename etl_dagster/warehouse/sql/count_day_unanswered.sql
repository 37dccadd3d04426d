-- Phones about which CCC's newest word for a day is UNKNOWN, by reason.
WITH latest AS (
    SELECT v.verdict, v.reason
    FROM PHONE_VERDICTS AS v
    WHERE v.lead_date = %(lead_date)s AND v.source = 'ccc'
    QUALIFY {newest_first} = 1
)
SELECT reason, COUNT(*) AS phones
FROM latest
WHERE verdict = 'UNKNOWN'
GROUP BY reason
ORDER BY reason
