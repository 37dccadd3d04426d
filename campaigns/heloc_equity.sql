-- Home-equity line: owners three years into a low-rate first lien who would not refinance it,
-- without a second lien, with at least $100,000 of equity and a combined loan-to-value of 70%.
-- Brings its own phones; where it has none, the contacts table fills in at extraction.
WITH best_contacts AS (
    SELECT
        UPPER(TRIM(first_name)) AS first_key,
        UPPER(TRIM(last_name)) AS last_key,
        SPLIT_PART(zip, '-', 1) AS zip_key,
        UPPER(REGEXP_REPLACE(TRIM(address), '[ ]+', ' ')) AS address_key,
        MAX(CASE WHEN rank = 1 THEN phone END) AS phone_1,
        MAX(CASE WHEN rank = 2 THEN phone END) AS phone_2,
        MAX(CASE WHEN rank = 3 THEN phone END) AS phone_3,
        MIN(CASE WHEN email LIKE '%@%' THEN LOWER(email) END) AS email_1
    FROM PROPERTY_DATA.CONTACTS
    WHERE rank <= 3
    GROUP BY 1, 2, 3, 4
),

owners AS (
    SELECT
        *,
        SPLIT_PART(TRIM(lien1_borrower1_first_name), ' ', 1) AS first_name,
        TRIM(lien1_borrower1_last_name) AS last_name,
        hc_value_estimate - principal_outstanding_total - COALESCE(lien2_amount, 0) AS equity
    FROM PROPERTY_DATA.BULK_PROPERTY_DATA_PRIVATE_SHARE_USA
    WHERE COALESCE(
            TRY_TO_DATE(last_close_date, 'YYYY-MM-DD'),
            TRY_TO_DATE(last_close_date, 'MM/DD/YYYY')
        ) = DATEADD(month, -36, $PARTITION_DATE::DATE)
)

SELECT
    INITCAP(o.first_name) AS "First Name",
    INITCAP(o.last_name) AS "Last Name",
    INITCAP(TRIM(o.address)) AS "Address",
    INITCAP(TRIM(o.city)) AS "City",
    o.state AS "State",
    o.zipcode AS "Zip",
    c.phone_1 AS "Phone 1",
    c.phone_2 AS "Phone 2",
    c.phone_3 AS "Phone 3",
    c.email_1 AS "Email 1",
    o.hc_value_estimate AS "Home Value",
    o.equity AS "Equity",
    ROUND(100 * o.principal_outstanding_total / NULLIF(o.hc_value_estimate, 0), 1) AS "LTV %",
    -- What could be drawn: up to 80% of the value, at most $250,000.
    LEAST(ROUND(0.8 * o.hc_value_estimate) - o.principal_outstanding_total, 250000) AS "Line",
    CASE
        WHEN o.equity >= 400000 THEN 'A'
        WHEN o.equity >= 200000 THEN 'B'
        ELSE 'C'
    END AS "Grade"
FROM owners AS o
LEFT JOIN best_contacts AS c
    ON c.first_key = UPPER(o.first_name)
    AND c.last_key = UPPER(o.last_name)
    AND c.zip_key = SPLIT_PART(o.zipcode, '-', 1)
    AND c.address_key = UPPER(TRIM(o.address))
WHERE o.equity >= 100000
    AND o.principal_outstanding_total <= 0.7 * o.hc_value_estimate
    AND o.lien2_amount IS NULL
    AND o.lien1_interest_rate_used < 5
    AND o.owner_occupied_yn = 'Y';
