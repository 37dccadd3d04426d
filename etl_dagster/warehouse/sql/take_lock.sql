-- Take a lock: whoever updates its row meanwhile waits until this transaction has ended.
UPDATE LOCKS
SET times = times + 1, taken_at = %(moment)s, taken_by = %(taken_by)s
WHERE name = %(name)s
