-- A name or street as people mean it: case, punctuation and spacing do not count.
TRIM(REGEXP_REPLACE(UPPER(COALESCE({text}, '')), '[[:space:][:punct:]]+', ' '))
