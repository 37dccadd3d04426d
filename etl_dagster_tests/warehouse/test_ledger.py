import hashlib
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse import ledger
from etl_dagster.warehouse.errors import WarehouseError
from etl_dagster.warehouse.ledger import FIRST_DIGEST
from etl_dagster_tests.warehouse.conftest import CHUNK, NEXT, NOW, Tables, batch_of, origin

PHONES = [4075550100 + n for n in range(9)]
COLUMNS = (
    "phone, source, verdict, reason, list_versions, checked_at, valid_until, policy_hash,"
    " evidence_hash"
)


def stored(tables: Tables, batch_id: str) -> pa.Table:
    """A batch's rows as they are in the warehouse."""
    query = f"SELECT {COLUMNS} FROM PHONE_VERDICTS WHERE batch_id = '{batch_id}'"
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
        own = f"{previous}{ledger.digest(stored(tables, str(row['BATCH_ID'])))}"
        previous = str(row["DIGEST"])
        assert previous == hashlib.sha256(own.encode()).hexdigest()
    # every source and partition has a chain of its own
    assert [row["PREV_DIGEST"] for row in chain(tables, "dnc")] == [FIRST_DIGEST]


@pytest.mark.parametrize(
    "change",
    [
        "verdict = 'CLEAR'",
        "phone = phone + 1",
        "reason = 'another'",
        "source = 'dnc'",
        "list_versions = 'national@2'",
        "checked_at = DATEADD(second, 1, checked_at)",
        "valid_until = DATEADD(day, 1, valid_until)",
        "policy_hash = 'q'",
        "evidence_hash = 'f'",
    ],
)
def test_a_changed_row_changes_the_digest(tables: Tables, change: str) -> None:
    batch = tables.said("ccc", Verdict.LISTED, *PHONES)
    before = ledger.digest(stored(tables, batch))
    tables.session.execute(f"UPDATE PHONE_VERDICTS SET {change} WHERE phone = {PHONES[4]}")
    assert ledger.digest(stored(tables, batch)) != before


def test_a_row_taken_out_or_put_in_changes_the_digest(tables: Tables) -> None:
    batch = tables.said("ccc", Verdict.LISTED, *PHONES)
    rows = stored(tables, batch)
    assert ledger.digest(rows.slice(1)) != ledger.digest(rows)
    assert ledger.digest(pa.concat_tables([rows, rows.slice(0, 1)])) != ledger.digest(rows)


def test_the_digest_does_not_depend_on_the_order_of_rows(tables: Tables) -> None:
    batch = tables.said("ccc", Verdict.LISTED, *PHONES)
    rows = stored(tables, batch)
    assert ledger.digest(rows.take(pa.array([4, 2, 0, 8, 6, 1, 3, 5, 7]))) == ledger.digest(rows)


@given(st.permutations(range(6)), st.sampled_from(["PHONE", "VERDICT", "REASON"]))
def test_no_other_rows_have_the_same_digest(order: list[int], column: str) -> None:
    rows = ledger._rows(batch_of(PHONES[:6], Verdict.CLEAR), origin("ccc"))
    assert ledger.digest(rows.take(pa.array(order))) == ledger.digest(rows)
    values = rows[column].to_pylist()
    values[order[0]] = 4075559999 if column == "PHONE" else f"{values[order[0]]}|"
    place = rows.column_names.index(column)
    changed = rows.set_column(place, column, pa.array(values))
    assert ledger.digest(changed) != ledger.digest(rows)


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
