-- The proof, from the ledger alone: phones whose newest row of every required source is CLEAR, and
-- of no source LISTED, with the moment at which the first CLEAR runs out, of a source that every run
-- asks and that is not required too, because CALLABLE_NOW obeys it. What the lists or the full scrub
-- said under another policy proves nothing: which lists must be there, how old, and what an answer
-- means, is the policy's.
CREATE OR REPLACE TEMPORARY TABLE PROVEN_PHONES AS
WITH phones AS (
    SELECT phone_1 AS phone FROM LEADS
    WHERE lead_date = %(lead_date)s AND chunk = %(chunk)s AND phone_1 IS NOT NULL
    UNION
    SELECT phone_2 FROM LEADS
    WHERE lead_date = %(lead_date)s AND chunk = %(chunk)s AND phone_2 IS NOT NULL
    UNION
    SELECT phone_3 FROM LEADS
    WHERE lead_date = %(lead_date)s AND chunk = %(chunk)s AND phone_3 IS NOT NULL
),
latest AS (
    SELECT
        v.phone, v.source,
        IFF(
            v.source <> 'ccc' AND v.verdict = 'CLEAR' AND v.policy_hash <> %(policy_hash)s,
            'UNKNOWN',
            v.verdict
        ) AS verdict,
        IFF(
            v.source = 'ccc',
            LEAST(v.valid_until, DATEADD(second, %(ccc_ttl_seconds)s, v.checked_at)),
            v.valid_until
        ) AS valid_until
    FROM PHONE_VERDICTS AS v
    JOIN phones AS p ON p.phone = v.phone
    QUALIFY {newest_first} = 1
)
SELECT phone, MIN(IFF(verdict = 'CLEAR' AND source IN ({heard}), valid_until, NULL)) AS callable_until
FROM latest
GROUP BY phone
HAVING COUNT_IF(verdict = 'LISTED') = 0
    AND COUNT_IF(source IN ({required}) AND verdict = 'CLEAR' AND valid_until IS NOT NULL)
        = {required_count}
