-- The rows from which `newest_word` takes its columns.
LEFT JOIN latest AS {source} ON {source}.phone = p.phone AND {source}.source = '{source}'
