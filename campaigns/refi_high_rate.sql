-- Rate-and-term refinance: fixed conventional first liens at 6.25% or more that closed exactly
-- two years ago; by then most prepayment penalties have run out.
-- Phones and e-mails: none here; they are joined from the contacts table at extraction.
SELECT
    INITCAP(SPLIT_PART(TRIM(lien1_borrower1_first_name), ' ', 1))   AS "First Name",  -- drops "JOHN A"'s initial
    INITCAP(TRIM(lien1_borrower1_last_name))                        AS "Last Name",
    INITCAP(TRIM(address))                                          AS "Address",
    INITCAP(TRIM(city))                                             AS "City",
    UPPER(state)                                                    AS "State",
    zipcode                                                         AS "Zip",
    INITCAP(lien1_lender_name)                                      AS "Current Lender",
    lien1_amount                                                    AS "Loan Amount",
    principal_outstanding_total                                     AS "Balance",
    lien1_interest_rate_used                                        AS "Current Rate",
    /* Monthly payment of an annuity: P * r / (1 - (1 + r)^-n), with the monthly rate r = rate / 1200
       and n months; today's rate for a new loan of the same remaining term is taken as 5.875%. */
    ROUND(
        lien1_amount * (lien1_interest_rate_used / 1200)
        / (1 - POWER(1 + lien1_interest_rate_used / 1200, -lien1_loan_term)), 2
    )                                                               AS "Current Payment",
    ROUND(
        principal_outstanding_total * (5.875 / 1200)
        / (1 - POWER(1 + 5.875 / 1200, -(lien1_loan_term - 24))), 2
    )                                                               AS "New Payment",
    CASE
        WHEN lien1_interest_rate_used >= 7.5 THEN 'hot'
        WHEN lien1_interest_rate_used >= 7 THEN 'warm'
        ELSE 'mild'
    END                                                             AS "Priority",
    COALESCE(
        TRY_TO_DATE(last_close_date, 'YYYY-MM-DD'),
        TRY_TO_DATE(last_close_date, 'MM/DD/YYYY')
    )                                                               AS "Closed On"
FROM PROPERTY_DATA.BULK_PROPERTY_DATA_PRIVATE_SHARE_USA
WHERE COALESCE(
        TRY_TO_DATE(last_close_date, 'YYYY-MM-DD'),
        TRY_TO_DATE(last_close_date, 'MM/DD/YYYY')
    ) = DATEADD(month, -24, TO_DATE($PARTITION_DATE))
    AND lien1_loan_type ILIKE 'conv%'
    AND lien1_interest_rate_used >= 6.25
    AND lien1_lender_name NOT ILIKE 'private%'  -- individuals; not refinanced here
    AND units_total <= 4;
