-- Ledger rows of some days that name an answer whose body is not kept.
SELECT COUNT(*)
FROM PHONE_VERDICTS
WHERE lead_date BETWEEN %(first)s AND %(last)s
    AND evidence_hash <> ''
    AND batch_id NOT IN (
        SELECT batch_id FROM CCC_ANSWERS WHERE lead_date BETWEEN %(first)s AND %(last)s
    )
