-- The chunk's callable leads: phones that were decided CALLABLE and that the ledger clears; the
-- others are NULL. A lead whose phones did not change keeps the moment it was first published.
CREATE OR REPLACE TEMPORARY TABLE PUBLISHABLE AS
WITH masked AS (
    SELECT
        l.lead_id, l.campaign, l.lead_date, l.chunk,
        IFF(f.phone_1_verdict = 'CALLABLE', p1.phone, NULL) AS phone_1,
        IFF(f.phone_2_verdict = 'CALLABLE', p2.phone, NULL) AS phone_2,
        IFF(f.phone_3_verdict = 'CALLABLE', p3.phone, NULL) AS phone_3,
        LEAST(
            COALESCE(
                IFF(f.phone_1_verdict = 'CALLABLE', p1.callable_until, NULL),
                '9999-12-31'::TIMESTAMP_NTZ
            ),
            COALESCE(
                IFF(f.phone_2_verdict = 'CALLABLE', p2.callable_until, NULL),
                '9999-12-31'::TIMESTAMP_NTZ
            ),
            COALESCE(
                IFF(f.phone_3_verdict = 'CALLABLE', p3.callable_until, NULL),
                '9999-12-31'::TIMESTAMP_NTZ
            )
        ) AS callable_until
    FROM LEADS AS l
    JOIN DNC_FILTERED AS f
        ON f.lead_date = l.lead_date AND f.chunk = l.chunk
        AND f.lead_id = l.lead_id AND f.campaign = l.campaign
    LEFT JOIN PROVEN_PHONES AS p1
        ON p1.phone = l.phone_1 AND p1.callable_until > %(moment)s
    LEFT JOIN PROVEN_PHONES AS p2
        ON p2.phone = l.phone_2 AND p2.callable_until > %(moment)s
    LEFT JOIN PROVEN_PHONES AS p3
        ON p3.phone = l.phone_3 AND p3.callable_until > %(moment)s
    WHERE l.lead_date = %(lead_date)s AND l.chunk = %(chunk)s AND f.lead_verdict = 'CALLABLE'
)
SELECT
    m.lead_id, m.campaign, m.lead_date, m.chunk, m.phone_1, m.phone_2, m.phone_3,
    m.callable_until,
    IFF(
        old.lead_date = m.lead_date
            AND COALESCE(old.phone_1, 0) = COALESCE(m.phone_1, 0)
            AND COALESCE(old.phone_2, 0) = COALESCE(m.phone_2, 0)
            AND COALESCE(old.phone_3, 0) = COALESCE(m.phone_3, 0),
        old.published_at,
        %(moment)s::TIMESTAMP_NTZ
    ) AS published_at
FROM masked AS m
LEFT JOIN (
    SELECT * FROM CALLABLE_LEADS
    WHERE chunk = %(chunk)s
    QUALIFY ROW_NUMBER() OVER (PARTITION BY lead_id, campaign ORDER BY lead_date DESC) = 1
) AS old ON old.lead_id = m.lead_id AND old.campaign = m.campaign
WHERE COALESCE(m.phone_1, m.phone_2, m.phone_3) IS NOT NULL
    AND (old.lead_date IS NULL OR old.lead_date <= m.lead_date)
