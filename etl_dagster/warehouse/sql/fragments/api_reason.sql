-- In a service's words, why it keeps a phone from being CALLABLE; nothing if it does not.
CASE
                WHEN d.{source}_cause = 'NONE' THEN ''
                WHEN d.{source}_cause = 'EXPIRED' THEN '{source}:expired '
                WHEN e.{source}_verdict = 'CLEAR' THEN '{source}:other_policy '
                ELSE '{source}:' || COALESCE(e.{source}_reason, 'not_checked') || ' '
            END
