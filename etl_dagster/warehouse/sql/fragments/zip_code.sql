-- Five digits; what an export took off in front is put back. The first case is only quicker.
IFF(
    REGEXP_LIKE({text}, '[0-9][0-9][0-9][0-9][0-9]([^0-9].*)?'),
    LEFT({text}, 5),
    LPAD(REGEXP_SUBSTR(COALESCE({text}, ''), '[0-9]+'), 5, '0')
)
