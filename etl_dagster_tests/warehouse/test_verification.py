"""The ledger verified: whole as it was written, and whatever was changed is found and named."""

import threading
from dataclasses import asdict, replace
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse import ledger
from etl_dagster.warehouse.canonical import (
    COLUMNS,
    FIRST_DIGEST,
    BatchRecord,
    batch_digest,
)
from etl_dagster.warehouse.examination import ChainKey, examine
from etl_dagster.warehouse.heads import read_heads
from etl_dagster.warehouse.session import Session, Warehouse
from etl_dagster.warehouse.verification import Verification, verify
from etl_dagster_tests.warehouse.conftest import CHUNK, NEXT, Tables, batch_of, origin, rows_digest

PHONES = [4075550100 + n for n in range(12)]
KEY = ChainKey(CHUNK.lead_date, CHUNK.number, "ccc")
BATCH_COLUMNS = tuple(BatchRecord.__slots__)


@pytest.fixture
def three(tables: Tables) -> list[str]:
    """A chain of three batches with four phones each, beside two other chains; its batch ids."""
    tables.said("dnc", Verdict.CLEAR, *PHONES)
    tables.said("ccc", Verdict.CLEAR, *PHONES, chunk=NEXT)
    batches = [
        batch_of(PHONES[4 * at : 4 * at + 4], verdict, until=None)
        for at, verdict in enumerate((Verdict.CLEAR, Verdict.LISTED, Verdict.UNKNOWN))
    ]
    ledger.append(tables.session, batches, origin=origin("ccc"))
    return [batch.batch_id for batch in batches]


def kinds(found: Verification) -> set[tuple[str, int | None]]:
    """What is wrong at which positions."""
    return {(flaw.kind, flaw.position) for flaw in found.flaws}


@pytest.mark.parametrize("rows_at_once", [1, 14, 1_000])
def test_a_ledger_is_whole_as_it_was_written(
    tables: Tables, three: list[str], rows_at_once: int
) -> None:
    found = verify(tables.session, rows_at_once=rows_at_once)
    assert found.whole, found.flaws
    assert (found.chains, found.batches, found.rows) == (3, len(three) + 2, 36)
    assert (found.older, found.appended, found.anchored) == (0, 0, 0)


def test_an_empty_ledger_is_whole(tables: Tables) -> None:
    assert verify(tables.session) == Verification()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("lead_date = lead_date - 1", {("digest", 2), ("row_count", 2), ("foreign_rows", None)}),
        ("lead_date = lead_date + 1", {("digest", 2), ("row_count", 2), ("foreign_rows", None)}),
        ("chunk = 7", {("digest", 2), ("row_count", 2), ("foreign_rows", None)}),
        ("source = 'dnc'", {("digest", 2), ("row_count", 2), ("foreign_rows", None)}),
        ("batch_id = 'none'", {("digest", 2), ("row_count", 2), ("no_batch", None)}),
        ("phone = phone + 1", {("digest", 2)}),
        ("verdict = 'CLEAR'", {("digest", 2)}),
        ("reason = 'another'", {("digest", 2)}),
        ("list_versions = 'national@2'", {("digest", 2)}),
        ("checked_at = DATEADD(second, 1, checked_at)", {("digest", 2)}),
        ("valid_until = DATEADD(day, 1, checked_at)", {("digest", 2)}),
        ("policy_hash = 'q'", {("digest", 2)}),
        ("evidence_hash = 'f'", {("digest", 2)}),
        ("run_id = 's'", {("digest", 2)}),
    ],
)
def test_a_changed_cell_of_a_row_is_found_and_its_batch_named(
    tables: Tables, three: list[str], change: str, what: set[tuple[str, int | None]]
) -> None:
    assert {column.split(" ")[0] for column in COLUMNS_CHANGED} == {c.lower() for c in COLUMNS[2]}
    assert tables.session.execute(
        f"UPDATE PHONE_VERDICTS SET {change} WHERE phone = {PHONES[5]} AND batch_id = '{three[1]}'"
    )
    for rows_at_once in (1, 1_000):
        found = verify(tables.session, rows_at_once=rows_at_once)
        assert kinds(found) == what
        for flaw in found.flaws:
            if flaw.position:
                assert (flaw.key, flaw.batch_id) == (KEY, three[1])
            else:
                assert (flaw.rows, flaw.phones) == (1, (PHONES[5],))


COLUMNS_CHANGED = [
    case[0]
    for case in test_a_changed_cell_of_a_row_is_found_and_its_batch_named.pytestmark[0].args[1]
]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("batch_id = 'none'", {("digest", 2), ("no_rows", 2), ("no_batch", None)}),
        ("position = 5", {("digest", 5), ("position", 3), ("position", 5), ("prev_digest", 3)}),
        ("row_count = 5", {("digest", 2), ("row_count", 2)}),
        (f"digest = 'v2:{'x' * 43}'", {("digest", 2), ("prev_digest", 3)}),
        (f"digest = '{'0' * 64}'", {("digest", 2), ("prev_digest", 3)}),
        ("digest = 'x'", {("digest", 2), ("prev_digest", 3)}),
        (f"prev_digest = '{FIRST_DIGEST}'", {("digest", 2), ("prev_digest", 2)}),
        ("endpoint = 'elsewhere'", {("digest", 2)}),
        ("deployment = 'production'", {("digest", 2)}),
        ("created_at = DATEADD(microsecond, 1, created_at)", {("digest", 2)}),
    ],
)
def test_a_changed_cell_of_a_batch_is_found_and_named(
    tables: Tables, three: list[str], change: str, what: set[tuple[str, int | None]]
) -> None:
    assert tables.session.execute(
        f"UPDATE SCRUB_BATCHES SET {change} WHERE batch_id = '{three[1]}'"
    )
    found = verify(tables.session)
    if change.startswith("position"):
        assert ("digest", 5) in kinds(found)
        assert ("position", 3) in kinds(found)
    else:
        assert kinds(found) == what


@pytest.mark.parametrize("column", ["lead_date = lead_date + 1", "chunk = 7", "source = 'dnc'"])
def test_a_batch_moved_to_another_chain_is_found(
    tables: Tables, three: list[str], column: str
) -> None:
    tables.session.execute(f"UPDATE SCRUB_BATCHES SET {column} WHERE batch_id = '{three[1]}'")
    for rows_at_once in (1, 1_000):
        found = verify(tables.session, rows_at_once=rows_at_once)
        assert {"digest", "position", "foreign_rows"} <= {flaw.kind for flaw in found.flaws}
        assert three[1] in {flaw.batch_id for flaw in found.flaws}


def test_a_whole_chain_moved_to_another_day_is_found(tables: Tables) -> None:
    tables.said("ccc", Verdict.CLEAR, *PHONES)
    for name in ("PHONE_VERDICTS", "SCRUB_BATCHES"):
        tables.session.execute(f"UPDATE {name} SET lead_date = lead_date + 1")
    assert kinds(verify(tables.session)) == {("digest", 1)}


def test_rows_deleted_and_inserted_are_found(tables: Tables, three: list[str]) -> None:
    tables.session.execute(
        f"DELETE FROM PHONE_VERDICTS WHERE batch_id = '{three[0]}' AND phone % 2"
    )
    columns = ", ".join(name for name in COLUMNS[2] if name != "PHONE")
    tables.session.execute(
        f"INSERT INTO PHONE_VERDICTS (phone, {columns}) SELECT 4075559999, {columns}"
        f" FROM PHONE_VERDICTS WHERE batch_id = '{three[2]}' LIMIT 1"
    )
    found = verify(tables.session)
    assert kinds(found) == {(kind, at) for kind in ("digest", "row_count") for at in (1, 3)}
    assert "2 rows are there, 4 were written" in [flaw.says for flaw in found.flaws]


def test_rows_that_stand_out_in_a_changed_batch_are_named(tables: Tables, three: list[str]) -> None:
    where = f"WHERE phone = {PHONES[6]} AND batch_id = '{three[1]}'"
    tables.session.execute(f"UPDATE PHONE_VERDICTS SET verdict = 'CLEAR', run_id = 's' {where}")
    (flaw,) = verify(tables.session).flaws
    assert flaw.says.endswith("rows stand out in run_id, verdict and reason")
    assert (flaw.rows, flaw.phones) == (1, (PHONES[6],))


def test_a_batch_deleted_with_its_rows_is_found(tables: Tables, three: list[str]) -> None:
    for name in ("PHONE_VERDICTS", "SCRUB_BATCHES"):
        tables.session.execute(f"DELETE FROM {name} WHERE batch_id = '{three[1]}'")
    found = verify(tables.session)
    assert kinds(found) == {("position", 3), ("prev_digest", 3)}
    assert "no batch is at position 2 before it" in [flaw.says for flaw in found.flaws]


def test_batches_that_are_gone_leave_rows_without_a_batch(tables: Tables, three: list[str]) -> None:
    tables.session.execute("DELETE FROM SCRUB_BATCHES")
    found = verify(tables.session)
    assert {flaw.kind for flaw in found.flaws} == {"no_batch"}
    assert set(three) < {flaw.batch_id for flaw in found.flaws}
    assert sum(flaw.rows for flaw in found.flaws) == 36


def test_a_batch_that_is_there_twice_is_found(tables: Tables, three: list[str]) -> None:
    tables.session.execute(
        f"INSERT INTO SCRUB_BATCHES SELECT * FROM SCRUB_BATCHES WHERE batch_id = '{three[1]}'"
    )
    assert {("batch_id", 2), ("position", 2)} <= kinds(verify(tables.session))


def test_batches_that_changed_places_are_found(tables: Tables, three: list[str]) -> None:
    tables.session.execute("UPDATE SCRUB_BATCHES SET position = 4 - position WHERE source = 'ccc'"
                           f" AND batch_id IN ('{three[0]}', '{three[2]}')")  # fmt: skip
    assert {("digest", 1), ("digest", 3), ("prev_digest", 1)} <= kinds(verify(tables.session))


def test_only_the_days_asked_for_are_examined(tables: Tables, three: list[str]) -> None:
    tables.session.execute(f"UPDATE PHONE_VERDICTS SET phone = 1 WHERE batch_id = '{three[1]}'")
    other = verify(tables.session, first=NEXT.lead_date)
    assert other.whole
    assert (other.chains, other.rows) == (1, 12)
    assert not verify(tables.session, last=CHUNK.lead_date).whole
    assert verify(tables.session, last=CHUNK.lead_date - timedelta(days=1)) == Verification()


# --- anchors ----------------------------------------------------------------------------------


def rewritten(tables: Tables) -> None:
    """Write the chain anew, as somebody would who knows how digests are made."""
    rows = tables.session.arrow_table("SELECT * FROM PHONE_VERDICTS WHERE source = 'ccc'")
    found = tables.rows(f"SELECT * FROM SCRUB_BATCHES WHERE lead_date = '{CHUNK.lead_date}'"
                        " AND source = 'ccc' ORDER BY position")  # fmt: skip
    previous, records = FIRST_DIGEST, []
    for row in found:
        record = BatchRecord(**{name.lower(): value for name, value in row.items()})
        own = rows.filter(
            pa.array([one == record.batch_id for one in rows["BATCH_ID"].to_pylist()])
        )
        record = replace(record, prev_digest=previous)
        previous = batch_digest(record, rows_digest(own))
        records.append(asdict(replace(record, digest=previous)))
    tables.session.execute(f"DELETE FROM SCRUB_BATCHES WHERE lead_date = '{CHUNK.lead_date}'"
                           " AND source = 'ccc'")  # fmt: skip
    tables.session.load("SCRUB_BATCHES", pa.Table.from_pylist(records))


def test_heads_show_what_chains_alone_cannot(tables: Tables, three: list[str]) -> None:
    heads = read_heads(tables.session, ledger="ours").heads
    tables.said("ccc", Verdict.CLEAR, *PHONES)
    assert verify(tables.session, heads=heads).anchored == 3

    tables.session.execute(f"UPDATE PHONE_VERDICTS SET verdict = 'CLEAR', reason = ''"
                           f" WHERE batch_id = '{three[1]}'")  # fmt: skip
    rewritten(tables)
    assert verify(tables.session).whole  # of itself it is
    found = verify(tables.session, heads=heads)
    assert kinds(found) == {("head", 3)}
    assert found.flaws[0].key == KEY
    assert found.flaws[0].says.endswith("another batch is there, or none")
    assert verify(tables.session, heads=heads, first=NEXT.lead_date).whole


def test_an_end_that_was_cut_off_is_found_by_heads(tables: Tables, three: list[str]) -> None:
    heads = read_heads(tables.session, ledger="ours").heads
    for name in ("PHONE_VERDICTS", "SCRUB_BATCHES"):
        tables.session.execute(f"DELETE FROM {name} WHERE batch_id = '{three[2]}'")
        tables.session.execute(f"DELETE FROM {name} WHERE source = 'dnc'")
    assert verify(tables.session).whole
    found = verify(tables.session, heads=heads)
    assert [(flaw.kind, flaw.position, flaw.key.source) for flaw in found.flaws] == [
        ("head", 3, "ccc"),
        ("head", 1, "dnc"),
    ]
    says = [flaw.says for flaw in found.flaws]
    assert says[0].endswith("the chain ends at position 2")
    assert says[1].endswith("the chain is gone")


# --- what an older release wrote --------------------------------------------------------------


def older(session: Session, phones: list[int], *, position: int, previous: str) -> str:
    """Append a batch as the first release did; return its digest."""
    batch = batch_of(phones, Verdict.CLEAR)
    rows = ledger._rows([batch], origin("ccc"))
    ledger.append(session, [batch], origin=origin("ccc"))
    (row,) = session.arrow_table(
        f"SELECT * FROM SCRUB_BATCHES WHERE batch_id = '{batch.batch_id}'"
    ).to_pylist()
    record = BatchRecord(**{name.lower(): value for name, value in row.items()})
    record = replace(record, position=position, prev_digest=previous)
    digest = batch_digest(record, rows_digest(rows, version=1), version=1)
    session.execute(
        f"UPDATE SCRUB_BATCHES SET position = {position}, prev_digest = '{previous}',"
        f" digest = '{digest}' WHERE batch_id = '{batch.batch_id}'"
    )
    return digest


def test_a_chain_that_an_older_release_began_is_whole(tables: Tables) -> None:
    first = older(tables.session, PHONES[:4], position=1, previous=FIRST_DIGEST)
    older(tables.session, PHONES[4:8], position=2, previous=first)
    tables.said("ccc", Verdict.CLEAR, *PHONES[8:])
    found = verify(tables.session)
    assert found.whole, found.flaws
    assert (found.batches, found.older) == (3, 2)

    tables.session.execute(
        f"UPDATE PHONE_VERDICTS SET verdict = 'LISTED' WHERE phone = {PHONES[1]}"
    )
    tables.session.execute(f"UPDATE PHONE_VERDICTS SET chunk = 3 WHERE phone = {PHONES[5]}")
    assert kinds(verify(tables.session)) == {
        ("digest", 1),
        ("digest", 2),
        ("row_count", 2),
        ("foreign_rows", None),
    }


def test_a_row_is_held_to_its_chain_even_where_its_digest_is_not(tables: Tables) -> None:
    older(tables.session, PHONES[:4], position=1, previous=FIRST_DIGEST)
    tables.session.execute("UPDATE PHONE_VERDICTS SET chunk = 1 WHERE phone % 2")
    found = verify(tables.session)
    assert ("foreign_rows", None) in kinds(found)


def test_an_older_digest_after_a_newer_is_found(tables: Tables) -> None:
    tables.said("ccc", Verdict.CLEAR, *PHONES[:4])
    (head,) = read_heads(tables.session, ledger="ours").heads
    older(tables.session, PHONES[4:8], position=2, previous=head.digest)
    assert kinds(verify(tables.session)) == {("version", 2)}


# --- runs meanwhile ---------------------------------------------------------------------------


def test_a_run_that_appends_meanwhile_is_no_false_alarm(
    tables: Tables, tables_warehouse: Warehouse
) -> None:
    stop, errors = threading.Event(), []

    def run() -> None:
        try:
            with tables_warehouse.session() as session:
                while not stop.is_set():
                    for source in ("ccc", "dnc"):
                        batches = [batch_of(PHONES, Verdict.CLEAR) for _ in range(3)]
                        ledger.append(session, batches, origin=origin(source))
        except BaseException as error:  # noqa: BLE001  shown by the test
            errors.append(error)

    appending = threading.Thread(target=run)
    appending.start()
    try:
        seen = [verify(tables.session, rows_at_once=1) for _ in range(8)]
    finally:
        stop.set()
        appending.join()
    assert not errors
    assert [found.flaws for found in seen] == [[]] * len(seen)
    assert seen[-1].batches > seen[0].batches
    whole = verify(tables.session)
    assert whole.whole
    assert whole.batches > seen[-1].batches - 1
    assert whole.appended == 0


def test_rows_that_came_after_the_batches_were_read_are_not_examined(tables: Tables) -> None:
    tables.said("ccc", Verdict.CLEAR, *PHONES)

    class Late(Session):
        """A session in which a run appends after the batches were read."""

        def arrow_table(self, sql: str, params: Any = None) -> pa.Table:
            table = super().arrow_table(sql, params)
            if getattr(sql, "name", "") == "select_batches":
                tables.said("ccc", Verdict.CLEAR, *PHONES[:5])
            return table

    late = Late(tables.session._connection, query_tag="")
    found = verify(late)
    assert found.whole, found.flaws
    assert (found.batches, found.appended) == (1, 1)


# --- any ledger, any change -------------------------------------------------------------------


@st.composite
def ledgers(draw: st.DrawFn) -> tuple[list[BatchRecord], pa.Table]:
    """Chains of small batches, as appending writes them."""
    records: list[BatchRecord] = []
    tables = []
    for chunk in range(draw(st.integers(1, 2))):
        previous = FIRST_DIGEST
        for position in range(1, draw(st.integers(1, 4)) + 1):
            size = draw(st.integers(1, 4))
            phones = draw(
                st.lists(st.sampled_from(PHONES), min_size=size, max_size=size, unique=True)
            )
            verdict = draw(st.sampled_from(Verdict))
            place = Chunk(CHUNK.lead_date, chunk)
            batch = batch_of(phones, verdict, reason=draw(st.sampled_from(["", "a|b", "x"])))
            rows = ledger._rows([batch], origin("ccc", place))
            record = BatchRecord(
                batch_id=batch.batch_id,
                lead_date=place.lead_date,
                chunk=chunk,
                source="ccc",
                position=position,
                row_count=size,
                digest="",
                prev_digest=previous,
                endpoint="e",
                deployment="d",
                created_at=batch.checked_at.replace(tzinfo=None),
            )
            previous = batch_digest(record, rows_digest(rows))
            records.append(replace(record, digest=previous))
            tables.append(rows)
    return records, pa.concat_tables(tables)


def other(value: Any, draw: st.DrawFn, pool: list[Any]) -> Any:
    """Another value than this: of another row, or made up."""
    made: Any = {
        str: f"{value}x",
        int: (value or 0) + 1 if isinstance(value, int) else 0,
        date: CHUNK.lead_date + timedelta(days=9),
    }.get(type(value))
    if made is None:
        made = batch_of(PHONES[:1], Verdict.CLEAR).checked_at.replace(tzinfo=None)
        made += timedelta(microseconds=7)
    return draw(st.sampled_from([one for one in pool if one != value] + [made]))


def tampered(
    draw: st.DrawFn, records: list[BatchRecord], rows: list[dict[str, Any]]
) -> tuple[list[BatchRecord], list[dict[str, Any]]]:
    """One change of the kinds that somebody with write access could make."""
    records, rows = list(records), [dict(row) for row in rows]
    kind = draw(st.sampled_from(["cell", "batch cell", "delete", "insert", "swap", "lose"]))
    at = draw(st.integers(0, len(rows) - 1))
    which = draw(st.integers(0, len(records) - 1))
    if kind == "cell":
        column = draw(st.sampled_from(COLUMNS[2]))
        rows[at][column] = other(rows[at][column], draw, [row[column] for row in rows])
    elif kind == "batch cell":
        column = draw(st.sampled_from(BATCH_COLUMNS))
        pool = [getattr(one, column) for one in records]
        value = other(getattr(records[which], column), draw, pool)
        records[which] = replace(records[which], **{column: value})
    elif kind == "delete":
        del rows[at]
    elif kind == "insert":
        rows.append({**rows[at], "PHONE": draw(st.sampled_from(PHONES))})
    elif kind == "swap":
        ids = sorted({row["BATCH_ID"] for row in rows} - {rows[at]["BATCH_ID"]})
        rows[at]["BATCH_ID"] = draw(st.sampled_from(ids)) if ids else "none"
    else:  # the batch, or its rows, or one that has another behind it with its rows
        lost = records[which].batch_id
        behind = any(
            (one.chunk, one.position) == (records[which].chunk, records[which].position + 1)
            for one in records
        )
        what = draw(st.sampled_from(["batch", "rows", *(["both"] if behind else [])]))
        if what != "rows":
            del records[which]
        if what != "batch":
            rows = [row for row in rows if row["BATCH_ID"] != lost]
    return records, rows


@given(ledgers(), st.data())
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_ledger_is_whole_until_anything_is_changed(
    made: tuple[list[BatchRecord], pa.Table], data: st.DataObject
) -> None:
    records, rows = made
    order = data.draw(st.permutations(range(rows.num_rows)))
    shuffled = rows.take(pa.array(order, pa.int64()))
    assert examine(records[::-1], shuffled) == ([], [])

    listed = rows.to_pylist()
    changed, changed_rows = tampered(data.draw, records, listed)
    if not changed_rows:
        changed_rows = []
    flaws, strays = examine(changed, pa.Table.from_pylist(changed_rows, schema=rows.schema))
    assert flaws or strays
    touched = {one.batch_id for one in records if one not in changed}
    touched |= {row["BATCH_ID"] for row in [*listed, *changed_rows]
                if (row in listed) != (row in changed_rows)
                or listed.count(row) != changed_rows.count(row)}  # fmt: skip
    behind = {
        one.batch_id
        for one in records
        for before in records
        if before.batch_id in touched
        and (one.chunk, one.position) == (before.chunk, before.position + 1)
    }
    named = {one.batch_id for one in [*flaws, *strays]}
    assert named & (touched | behind | {one.batch_id for one in changed if one not in records})
