-- Five digits; what an export took off in front is put back.
LPAD(REGEXP_SUBSTR(COALESCE({text}, ''), '[0-9]+'), 5, '0')
