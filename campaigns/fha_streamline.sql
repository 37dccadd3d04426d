/* FHA Streamline: an FHA loan may be refinanced without an appraisal once 210 days have passed
   since closing (HUD Handbook 4000.1, II.A.8.d); this finds the loans that come of age today. */
WITH loans AS (
    SELECT
        *,
        COALESCE(
            TRY_TO_DATE(last_close_date, 'YYYY-MM-DD'),
            TRY_TO_DATE(last_close_date, 'MM/DD/YYYY')
        ) AS closed_on
    FROM PROPERTY_DATA.BULK_PROPERTY_DATA_PRIVATE_SHARE_USA
    WHERE lien1_loan_type LIKE '%FHA%'
),

due AS (
    SELECT *
    FROM loans
    WHERE closed_on >= DATEADD(day, -210, TO_TIMESTAMP_NTZ($PARTITION_START))
        AND closed_on < DATEADD(day, -210, TO_TIMESTAMP_NTZ($PARTITION_END))
)

SELECT
    INITCAP(SPLIT_PART(TRIM(lien1_borrower1_first_name), ' ', 1)) AS "First Name",
    INITCAP(TRIM(lien1_borrower1_last_name)) AS "Last Name",
    INITCAP(TRIM(address)) AS "Address",
    INITCAP(TRIM(city)) AS "City",
    state AS "State",
    SPLIT_PART(zipcode, '-', 1) AS "Zip Code",
    NULLIF(INITCAP(SPLIT_PART(lien1_borrower2_name, ' ', 2)), '') AS "Co-Borrower",
    principal_outstanding_total AS "Balance",
    lien1_interest_rate_used AS "Rate",
    -- Annual premium of 0.55% of the balance, paid monthly; an upfront one is left out; see note; "fees".
    ROUND(principal_outstanding_total * 0.0055 / 12, 2) AS "Monthly MIP",
    ROUND(
        lien1_amount * (lien1_interest_rate_used / 1200)
        / NULLIF(1 - POWER(1 + lien1_interest_rate_used / 1200, -lien1_loan_term), 0), 2
    ) AS "Payment",
    CASE WHEN association_yn = 'Y' THEN 'HOA; fees apply' ELSE 'none -- no HOA' END AS "HOA Note",
    closed_on AS "Closed On"
FROM due
WHERE owner_occupied_yn = 'Y'
    AND deed_transfer_yn = 'Y'
;

-- end of fha_streamline; nothing follows
