-- The Do-Not-Call store, schema version 1. Moments are microseconds since 1970 in UTC.
-- Every row that a look-up relies on is covered by a checksum held by its parent:
-- store -> list -> versions (a chain of digests) -> manifest -> segment -> page. A row that is
-- lost, swapped or altered therefore never reads as "nobody is listed".

-- One row: `revision` counts writes, `digest` covers it and every row of `list`.
CREATE TABLE store (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL,
    digest BLOB NOT NULL
) STRICT;

-- A named list. `head` is the state in place: one entry per area code (catalog.ENTRY).
CREATE TABLE list (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    required INTEGER NOT NULL,
    max_age_days INTEGER,
    source TEXT NOT NULL,
    states TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    version INTEGER NOT NULL,   -- the newest version, 0 before the first
    chain BLOB NOT NULL,        -- digest of that version
    floor INTEGER NOT NULL,     -- versions below it can no longer be asked for
    horizon INTEGER NOT NULL,   -- moments before it can no longer be asked for
    head BLOB NOT NULL
) STRICT;

-- What one load changed; `manifest` holds the entries of the area codes that it touched.
CREATE TABLE version (
    list INTEGER NOT NULL REFERENCES list (id),
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,         -- full, changes, opt-out, removal
    as_of INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    files TEXT NOT NULL,        -- JSON: name, sha256 and size of each file
    inputs BLOB NOT NULL,       -- digest of all files: the same input again is recognised
    lines INTEGER NOT NULL,
    malformed INTEGER NOT NULL,
    added INTEGER NOT NULL,
    removed INTEGER NOT NULL,
    numbers INTEGER NOT NULL,   -- on the list after this version
    requests INTEGER NOT NULL,  -- rows of `request` up to and with this version
    bytes INTEGER NOT NULL,     -- what this version added to the store
    allowed TEXT NOT NULL,      -- refusals that the operator overrode
    manifest_digest BLOB NOT NULL,
    manifest BLOB NOT NULL,
    PRIMARY KEY (list, number)
) STRICT, WITHOUT ROWID;

-- The numbers of one area code: a base (link 0, its pages in `page`) or what changed since `parent`.
CREATE TABLE segment (
    id INTEGER PRIMARY KEY,
    area INTEGER NOT NULL,
    link INTEGER NOT NULL,      -- changes since the base
    parent INTEGER NOT NULL,    -- 0 for a base
    parent_crc INTEGER NOT NULL,
    body BLOB NOT NULL          -- its checksum is held by whoever points here
) STRICT;

-- Ten exchanges of a base; id = segment * 100 + first exchange / 10. Format: pages.py.
CREATE TABLE page (
    id INTEGER PRIMARY KEY,
    bits BLOB NOT NULL
) STRICT;

-- One row per request to be left alone, or to be taken off again; never updated, never deleted.
CREATE TABLE request (
    id INTEGER PRIMARY KEY,
    list INTEGER NOT NULL REFERENCES list (id),
    version INTEGER NOT NULL,
    phone INTEGER NOT NULL,
    action TEXT NOT NULL,       -- opt-out, removal
    effective INTEGER NOT NULL, -- when it was received
    source TEXT NOT NULL,
    by TEXT NOT NULL,
    note TEXT NOT NULL,
    recorded_at INTEGER NOT NULL,
    crc INTEGER NOT NULL
) STRICT;

CREATE INDEX request_phone ON request (phone);
