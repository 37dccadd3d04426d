-- What may be dialled at the moment of the query: published, not run out, and every source's newest
-- word on the phone, from whatever partition it came, is CLEAR and has not run out either (it may be
-- valid for less than that which the lead was published by). Were a lead ever published twice, the
-- newest counts.
CREATE OR REPLACE VIEW CALLABLE_NOW COPY GRANTS AS
WITH blocked AS (
    SELECT DISTINCT phone FROM LATEST_VERDICTS
    WHERE verdict <> 'CLEAR' OR valid_until IS NULL OR valid_until <= SYSDATE()
),
phones AS (
    SELECT
        c.lead_id, c.campaign, c.lead_date, c.chunk, c.callable_until, c.published_at,
        IFF(b1.phone IS NULL, c.phone_1, NULL) AS phone_1,
        IFF(b2.phone IS NULL, c.phone_2, NULL) AS phone_2,
        IFF(b3.phone IS NULL, c.phone_3, NULL) AS phone_3
    FROM CALLABLE_LEADS AS c
    LEFT JOIN blocked AS b1 ON b1.phone = c.phone_1
    LEFT JOIN blocked AS b2 ON b2.phone = c.phone_2
    LEFT JOIN blocked AS b3 ON b3.phone = c.phone_3
    WHERE c.callable_until > SYSDATE()
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY c.lead_id, c.campaign ORDER BY c.lead_date DESC, c.published_at DESC
    ) = 1
)
SELECT
    p.lead_date, p.campaign, p.lead_id,
    l.first_name, l.last_name, l.address, l.city, l.state, l.zip,
    p.phone_1, p.phone_2, p.phone_3, l.email_1, l.email_2, l.email_3, l.attributes,
    p.callable_until, p.published_at
FROM phones AS p
JOIN LEADS AS l
    ON l.lead_date = p.lead_date AND l.chunk = p.chunk
    AND l.lead_id = p.lead_id AND l.campaign = p.campaign
WHERE COALESCE(p.phone_1, p.phone_2, p.phone_3) IS NOT NULL
