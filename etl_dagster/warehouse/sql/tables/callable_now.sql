-- What may be dialled at the moment of the query: published, not run out, and every source's newest
-- word on the phone, from whatever partition it came, is CLEAR and has not run out either, but that
-- a source which not every run asks may have said so long ago; a phone of which the ledger says
-- nothing is not shown. A newest word may be valid for less than those which
-- the lead was published by: callable_until ends with the first of all. Were a lead ever published
-- twice, the newest counts.
CREATE OR REPLACE VIEW CALLABLE_NOW COPY GRANTS AS
WITH newest AS (
    SELECT
        phone,
        MIN(
            IFF(
                verdict = 'CLEAR' AND valid_until IS NOT NULL,
                IFF(source IN ('ccc', 'dnc'), valid_until, '9999-12-31'::TIMESTAMP_NTZ),
                '0001-01-01'::TIMESTAMP_NTZ
            )
        ) AS clear_until
    FROM LATEST_VERDICTS
    GROUP BY phone
),
phones AS (
    SELECT
        c.lead_id, c.campaign, c.lead_date, c.chunk, c.published_at,
        IFF(n1.clear_until > SYSDATE(), c.phone_1, NULL) AS phone_1,
        IFF(n2.clear_until > SYSDATE(), c.phone_2, NULL) AS phone_2,
        IFF(n3.clear_until > SYSDATE(), c.phone_3, NULL) AS phone_3,
        LEAST(
            c.callable_until,
            IFF(n1.clear_until > SYSDATE(), n1.clear_until, c.callable_until),
            IFF(n2.clear_until > SYSDATE(), n2.clear_until, c.callable_until),
            IFF(n3.clear_until > SYSDATE(), n3.clear_until, c.callable_until)
        ) AS callable_until
    FROM CALLABLE_LEADS AS c
    LEFT JOIN newest AS n1 ON n1.phone = c.phone_1
    LEFT JOIN newest AS n2 ON n2.phone = c.phone_2
    LEFT JOIN newest AS n3 ON n3.phone = c.phone_3
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
