-- What was decided on each phone of the chunk and which source is the cause; lives as long as the
-- session.
CREATE OR REPLACE TEMPORARY TABLE CHUNK_DECISIONS (
    phone NUMBER(10, 0),
    dnc_verdict VARCHAR,
    dnc_reason VARCHAR,
    lists VARCHAR,
    verdict VARCHAR,
    {causes}
)
