-- What the lists no longer clear at the publication is proved no longer.
DELETE FROM PROVEN_PHONES WHERE phone IN (SELECT phone FROM BLOCKED_PHONES)
