-- The chunk's phones that the ledger clears.
SELECT phone FROM PROVEN_PHONES
