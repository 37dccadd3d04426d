-- The rule of leads/phones.py over the text {raw}: the ten digits, or NULL. The first two cases are
-- only quicker: the usual ways of writing a number that the rule accepts.
CASE
    WHEN REGEXP_LIKE(
        {raw},
        '([+]?1[ -])?[(]?[2-9]([02-9][0-9]|1[02-9])[)]?[ -]?[2-9]([02-9][0-9]|1[02-9])[ -]?[0-9]{{4}}'
    )
        THEN TRY_TO_NUMBER(RIGHT(REPLACE(REPLACE(REPLACE(REPLACE({raw}, '-', ''), ' ', ''), '(', ''), ')', ''), 10), 10, 0)
    WHEN REGEXP_LIKE({raw}, '[2-9]([02-9][0-9]|1[02-9])[2-9]([02-9][0-9]|1[02-9])[0-9]{{4}}[.]0+')
        THEN TRY_TO_NUMBER(LEFT({raw}, 10), 10, 0)
    WHEN REGEXP_LIKE(
        {raw},
        '[^0-9A-Za-z]*(1[^0-9A-Za-z]*)?[2-9][0-9]{{2}}[^0-9A-Za-z]*[2-9][0-9]{{2}}[^0-9A-Za-z]*[0-9]{{4}}([.]0+)?[^0-9A-Za-z]*((x|X|ext|Ext|EXT)[^0-9A-Za-z]*[0-9]{{1,6}}[^0-9A-Za-z]*)?'
    )
    AND REGEXP_LIKE(
        RIGHT(REGEXP_REPLACE(REGEXP_REPLACE({raw}, '([.]0+[^0-9A-Za-z]*|[.]0+[^0-9A-Za-z]*(x|X|ext|Ext|EXT)(.|\n)*|(x|X|ext|Ext|EXT)(.|\n)*)$', ''), '[^0-9]', ''), 10),
        '[2-9][0-9]{{2}}[2-9][0-9]{{6}}'
    )
    AND NOT REGEXP_LIKE(
        RIGHT(REGEXP_REPLACE(REGEXP_REPLACE({raw}, '([.]0+[^0-9A-Za-z]*|[.]0+[^0-9A-Za-z]*(x|X|ext|Ext|EXT)(.|\n)*|(x|X|ext|Ext|EXT)(.|\n)*)$', ''), '[^0-9]', ''), 10),
        '([0-9]11[0-9]{{7}}|[0-9]{{4}}11[0-9]{{4}})'
    )
    THEN TRY_TO_NUMBER(RIGHT(REGEXP_REPLACE(REGEXP_REPLACE({raw}, '([.]0+[^0-9A-Za-z]*|[.]0+[^0-9A-Za-z]*(x|X|ext|Ext|EXT)(.|\n)*|(x|X|ext|Ext|EXT)(.|\n)*)$', ''), '[^0-9]', ''), 10), 10, 0)
END
