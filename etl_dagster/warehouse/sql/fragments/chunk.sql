-- The bucket of a lead: its id's first four hex digits modulo the number of chunks.
MOD(
    (POSITION(SUBSTR({lead_id}, 1, 1), '0123456789abcdef') - 1) * 4096
    + (POSITION(SUBSTR({lead_id}, 2, 1), '0123456789abcdef') - 1) * 256
    + (POSITION(SUBSTR({lead_id}, 3, 1), '0123456789abcdef') - 1) * 16
    + POSITION(SUBSTR({lead_id}, 4, 1), '0123456789abcdef') - 1,
    {chunks}
)
