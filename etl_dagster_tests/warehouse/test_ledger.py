from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse import ledger
from etl_dagster.warehouse.canonical import (
    FIRST_DIGEST,
    BatchRecord,
    batch_digest,
)
from etl_dagster.warehouse.errors import WarehouseError
from etl_dagster_tests.warehouse.conftest import (
    CHUNK,
    NEXT,
    NOW,
    Tables,
    batch_of,
    origin,
    rows_digest,
)

PHONES = [4075550100 + n for n in range(9)]


def stored(tables: Tables, batch_id: str) -> pa.Table:
    """A batch's rows as they are in the warehouse."""
    query = f"SELECT * FROM PHONE_VERDICTS WHERE batch_id = '{batch_id}'"
    return tables.session.arrow_table(query)


def chain(tables: Tables, source: str = "ccc") -> list[dict[str, object]]:
    where = f"source = '{source}' AND lead_date = '{CHUNK.lead_date}'"
    return tables.rows(f"SELECT * FROM SCRUB_BATCHES WHERE {where} ORDER BY position")


def test_digests_chain_and_are_those_of_the_rows_in_the_warehouse(tables: Tables) -> None:
    batches = [batch_of(PHONES[:3], Verdict.CLEAR), batch_of(PHONES[3:5], Verdict.LISTED)]
    assert ledger.append(tables.session, batches, origin=origin("ccc")) == 5
    tables.said("ccc", Verdict.UNKNOWN, *PHONES[5:], until=None)
    tables.said("dnc", Verdict.CLEAR, *PHONES)
    tables.said("ccc", Verdict.CLEAR, *PHONES, chunk=NEXT)

    previous = FIRST_DIGEST
    found = chain(tables)
    assert [row["ROW_COUNT"] for row in found] == [3, 2, 4]
    for position, row in enumerate(found, 1):
        assert row["POSITION"] == position
        assert row["PREV_DIGEST"] == previous
        record = BatchRecord(**{name.lower(): value for name, value in row.items()})
        previous = str(row["DIGEST"])
        assert previous == batch_digest(record, rows_digest(stored(tables, record.batch_id)))
    # every source and partition has a chain of its own
    assert [row["PREV_DIGEST"] for row in chain(tables, "dnc")] == [FIRST_DIGEST]


def test_an_append_is_all_or_nothing(tables: Tables) -> None:
    tables.said("ccc", Verdict.CLEAR, *PHONES)
    good = batch_of(PHONES, Verdict.CLEAR)
    tables.session.execute("ALTER TABLE SCRUB_BATCHES RENAME TO ELSEWHERE")
    with pytest.raises(WarehouseError):
        ledger.append(tables.session, [good, good], origin=origin("ccc"))
    tables.session.execute("ALTER TABLE ELSEWHERE RENAME TO SCRUB_BATCHES")
    assert tables.count("PHONE_VERDICTS") == len(PHONES)
    assert ledger.append(tables.session, [good], origin=origin("ccc")) == len(PHONES)
    assert [row["POSITION"] for row in chain(tables)] == [1, 2]


def test_nothing_to_append_leaves_no_trace(tables: Tables) -> None:
    assert ledger.append(tables.session, [], origin=origin("ccc")) == 0
    assert ledger.append(tables.session, [batch_of([], Verdict.CLEAR)], origin=origin("ccc")) == 0
    assert tables.count("SCRUB_BATCHES") == 0


def test_moments_keep_their_microseconds_and_no_validity_stays_none(tables: Tables) -> None:
    moment = NOW + timedelta(microseconds=123_457)
    batch = batch_of(PHONES[:2], Verdict.CLEAR, at=moment, until=moment)
    until = batch.valid_until.copy()
    until[1] = np.datetime64("NaT")
    batch = replace(batch, valid_until=until)
    ledger.append(tables.session, [batch], origin=origin("ccc"))
    query = "SELECT checked_at, valid_until FROM PHONE_VERDICTS ORDER BY phone"
    assert tables.session.rows(query) == [(moment, moment), (moment, None)]
