-- The day's leads as LEADS holds them: one row per campaign and lead, phones normalised, leads
-- that another day published and that CALLABLE_NOW goes on showing long enough marked. Its rule is
-- applied to these leads' phones alone; the view would order the whole ledger.
CREATE OR REPLACE TEMPORARY TABLE DAY_LEADS AS
WITH repeated AS (
    SELECT campaign, lead_id
    FROM EXTRACTED
    WHERE lead_id IS NOT NULL
    GROUP BY campaign, lead_id
    HAVING COUNT(*) > 1
),
-- Only these are put in order: ordering every row, by all that it holds, takes longer than the rest.
chosen AS (
    SELECT e.*
    FROM EXTRACTED AS e
    LEFT JOIN repeated AS r ON r.campaign = e.campaign AND r.lead_id = e.lead_id
    WHERE e.lead_id IS NOT NULL AND r.lead_id IS NULL
    UNION ALL
    SELECT e.*
    FROM EXTRACTED AS e
    JOIN repeated AS r ON r.campaign = e.campaign AND r.lead_id = e.lead_id
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY e.campaign, e.lead_id
        ORDER BY
            IFF(e.phone_1_raw IS NULL, 1, 0) + IFF(e.phone_2_raw IS NULL, 1, 0)
            + IFF(e.phone_3_raw IS NULL, 1, 0),
            e.first_name, e.last_name, e.address, e.city, e.state,
            e.phone_1_raw, e.phone_2_raw, e.phone_3_raw, e.email_1, e.email_2, e.email_3,
            TO_VARCHAR(e.attributes)
    ) = 1
),
filled AS (
    SELECT
        e.campaign, e.lead_id, e.first_name, e.last_name, e.address, e.city, e.state, e.zip,
        COALESCE(e.phone_1_raw, c.phone_1_raw) AS phone_1_raw,
        COALESCE(e.phone_2_raw, c.phone_2_raw) AS phone_2_raw,
        COALESCE(e.phone_3_raw, c.phone_3_raw) AS phone_3_raw,
        COALESCE(e.email_1, c.email_1) AS email_1,
        COALESCE(e.email_2, c.email_2) AS email_2,
        COALESCE(e.email_3, c.email_3) AS email_3,
        e.attributes
    FROM chosen AS e
    LEFT JOIN LEAD_CONTACTS AS c
        ON c.lead_id = e.lead_id
        AND COALESCE(e.phone_1_raw, e.phone_2_raw, e.phone_3_raw) IS NULL
),
numbered AS (
    SELECT
        filled.*,
        {phone_1} AS number_1,
        {phone_2} AS number_2,
        {phone_3} AS number_3
    FROM filled
),
published AS (
    SELECT p.lead_id, p.campaign, p.phone_1, p.phone_2, p.phone_3
    FROM CALLABLE_LEADS AS p
    JOIN filled AS f ON f.lead_id = p.lead_id AND f.campaign = p.campaign
    -- as CALLABLE_NOW asks: a day that was extracted again without the lead shows it no longer
    JOIN LEADS AS l ON l.lead_date = p.lead_date AND l.chunk = p.chunk
        AND l.lead_id = p.lead_id AND l.campaign = p.campaign
    WHERE p.lead_date <> %(lead_date)s AND p.callable_until > %(valid_beyond)s
        AND p.policy_hash = %(policy_hash)s AND NOT %(force)s
),
phones AS (
    SELECT phone_1 AS phone FROM published WHERE phone_1 IS NOT NULL
    UNION
    SELECT phone_2 FROM published WHERE phone_2 IS NOT NULL
    UNION
    SELECT phone_3 FROM published WHERE phone_3 IS NOT NULL
),
latest AS (
    SELECT v.phone, v.source, v.verdict, v.valid_until
    FROM PHONE_VERDICTS AS v
    JOIN phones AS p ON p.phone = v.phone
    QUALIFY {newest_first} = 1
),
blocked AS (
    SELECT DISTINCT phone FROM latest
    WHERE verdict <> 'CLEAR' OR valid_until IS NULL
        OR (source IN ('ccc', 'dnc') AND valid_until <= %(valid_beyond)s)
),
shown AS (
    SELECT DISTINCT p.lead_id, p.campaign
    FROM published AS p
    LEFT JOIN blocked AS b1 ON b1.phone = p.phone_1
    LEFT JOIN blocked AS b2 ON b2.phone = p.phone_2
    LEFT JOIN blocked AS b3 ON b3.phone = p.phone_3
    WHERE (p.phone_1 IS NOT NULL AND b1.phone IS NULL)
        OR (p.phone_2 IS NOT NULL AND b2.phone IS NULL)
        OR (p.phone_3 IS NOT NULL AND b3.phone IS NULL)
)
SELECT
    n.campaign, n.lead_id,
    {chunk}::NUMBER(5, 0) AS chunk,
    n.first_name, n.last_name, n.address, n.city, n.state, n.zip,
    n.number_1 AS phone_1,
    IFF(n.number_2 = n.number_1, NULL, n.number_2) AS phone_2,
    IFF(n.number_3 = n.number_1 OR n.number_3 = n.number_2, NULL, n.number_3) AS phone_3,
    n.phone_1_raw, n.phone_2_raw, n.phone_3_raw, n.email_1, n.email_2, n.email_3, n.attributes,
    s.lead_id IS NOT NULL AS still_valid
FROM numbered AS n
LEFT JOIN shown AS s ON s.lead_id = n.lead_id AND s.campaign = n.campaign
