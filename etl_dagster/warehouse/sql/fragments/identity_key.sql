-- A name or street as people mean it: case, punctuation and spacing do not count. Most texts hold
-- words and single spaces only, which one look tells; rewriting them would cost five times as much.
IFF(
    REGEXP_LIKE({text}, ' *[A-Za-z0-9]+( [A-Za-z0-9]+)* *'),
    UPPER(TRIM({text})),
    TRIM(REGEXP_REPLACE(UPPER(COALESCE({text}, '')), '[[:space:][:punct:]]+', ' '))
)
