"""An export: who may be called on a day, whole and on record, or nothing."""

import csv
import hashlib
import io
import os
import stat
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse import export as exporting
from etl_dagster.warehouse.errors import WarehouseError
from etl_dagster.warehouse.export import Export, Origin, Selection
from etl_dagster.warehouse.export_files import ExportError
from etl_dagster_tests.warehouse.conftest import CHUNK, NEXT, NOW, Tables

A, B, C, D = (4075550100 + n for n in range(4))
ORIGIN = Origin(policy_hash="p", list_versions="internal@1;national@1")
PUBLISH = (
    "INSERT INTO CALLABLE_LEADS SELECT lead_id, campaign, lead_date, chunk, phone_1, phone_2, NULL,"
    " DATEADD(day, 3, SYSDATE()), SYSDATE(), 'p', 'r' FROM LEADS"
)
CLEARED = (
    "INSERT INTO PHONE_VERDICTS SELECT lead_date, chunk, phone, 'ccc', 'CLEAR', '', '',"
    " '2026-01-01'::TIMESTAMP_NTZ, DATEADD(day, 4, SYSDATE()), 'p', '', 'r', 'b' FROM ("
    " SELECT lead_date, chunk, phone_1 AS phone FROM LEADS WHERE phone_1 IS NOT NULL"
    " UNION SELECT lead_date, chunk, phone_2 FROM LEADS WHERE phone_2 IS NOT NULL)"
)
TOMORROW = datetime.now(UTC).date() + timedelta(days=1)
ALL = Selection(call_date=TOMORROW)
OPENS = datetime.combine(TOMORROW, time(13), UTC)
CLOSES = OPENS + timedelta(hours=12)
"""Tomorrow's hours at the leads' place."""
PARTIAL = ".leads.csv.{}.part"


def willing(phones: NDArray[np.int64]) -> None:
    """Vouch for everything."""
    del phones


def export(
    tables: Tables,
    target: Path,
    *,
    selection: Selection = ALL,
    layout: str = "csv",
    origin: Origin = ORIGIN,
    judged: Mapping[date, Collection[str]] | None = None,
    vouch: Callable[[NDArray[np.int64]], None] = willing,
    force: bool = False,
) -> tuple[Export, dict[str, int]]:
    return exporting.export(
        tables.session, selection, target, layout=layout, origin=origin, vouch=vouch, force=force,
        judged=exporting.callable_now(tables.session, selection) if judged is None else judged,
    )  # fmt: skip


@pytest.fixture
def hours(tables: Tables) -> None:
    """Tomorrow's hours at the place of all phones and addresses here."""
    tables.session.execute(
        "INSERT INTO CALL_PLACES SELECT column1, column2, 'rule', 'b'"
        " FROM VALUES ('area code', '407'), ('address', 'FL-328')"
    )
    tables.session.execute(
        "INSERT INTO CALL_WINDOWS SELECT %(day)s::DATE, 'rule', 'rule',"
        " %(opens)s::TIMESTAMP_NTZ, %(closes)s::TIMESTAMP_NTZ, 'b'",
        {"day": TOMORROW, "opens": OPENS, "closes": CLOSES},
    )


@pytest.fixture
def filled(tables: Tables, hours: None) -> Tables:
    """Three leads that may be dialled at the moment of the query, and tomorrow."""
    del hours
    leads = (
        ("one", "mailing", CHUNK, A, B),
        ("two", "walk_in", CHUNK, C, "NULL"),
        ("three", "walk_in", NEXT, D, "NULL"),
    )
    rows = ", ".join(
        f"('{chunk.lead_date}', 0, '{name}', '{campaign}', '{name}', {one}, {two})"
        for name, campaign, chunk, one, two in leads
    )
    tables.session.execute(
        "INSERT INTO LEADS (lead_date, chunk, lead_id, campaign, first_name, phone_1, phone_2,"
        " state, zip, extracted_at, run_id) SELECT column1, column2, column3, column4, column5,"
        f" column6, column7, 'FL', '32801', SYSDATE(), 'r' FROM VALUES {rows}"
    )
    tables.session.execute(PUBLISH)
    tables.session.execute(CLEARED)
    return tables


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8"), newline="")))


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_file_holds_what_the_view_shows_with_the_hours(filled: Tables, tmp_path: Path) -> None:
    record, leads = export(filled, tmp_path / "leads.csv")
    assert leads == {"mailing": 1, "walk_in": 2}
    columns = [name.lower() for name in filled.rows("SELECT * FROM CALLABLE_NOW")[0]]
    columns += ["call_from_utc", "call_to_utc"]
    found = rows_of(tmp_path / "leads.csv")
    assert list(found[0]) == columns
    hours = {(row["call_from_utc"], row["call_to_utc"]) for row in found}
    assert {tuple(map(datetime.fromisoformat, span)) for span in hours} == {(OPENS, CLOSES)}
    assert [(row["lead_id"], row["phone_1"], row["phone_2"]) for row in found] == [
        ("one", str(A), str(B)),
        ("two", str(C), ""),
        ("three", str(D), ""),
    ]
    assert [row["first_name"] for row in found] == ["one", "two", "three"]
    assert (record.row_count, record.phone_count) == (3, 4)
    assert left_in(tmp_path) == ["leads.csv"]


def test_parquet_holds_the_same_rows(filled: Tables, tmp_path: Path) -> None:
    export(filled, tmp_path / "leads.csv")
    export(filled, tmp_path / "leads.parquet", layout="parquet")
    texts = [
        {name: "" if value is None else str(value) for name, value in row.items()}
        for row in pq.read_table(tmp_path / "leads.parquet").to_pylist()
    ]
    for text, row in zip(texts, rows_of(tmp_path / "leads.csv"), strict=True):
        for name in ("lead_date", "campaign", "lead_id", "first_name", "phone_1", "phone_2"):
            assert text[name] == row[name]


def test_only_the_owner_can_read_the_file(filled: Tables, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        export(filled, tmp_path / "leads.csv")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "leads.csv").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (replace(ALL, lead_date=CHUNK.lead_date), ["one", "two"]),
        (replace(ALL, campaigns=("walk_in",)), ["two", "three"]),
        (replace(ALL, lead_date=NEXT.lead_date, campaigns=("walk_in", "mailing")), ["three"]),
    ],
)
def test_a_day_and_campaigns_can_be_chosen(
    filled: Tables, tmp_path: Path, selection: Selection, expected: list[str]
) -> None:
    record, _ = export(filled, tmp_path / "leads.csv", selection=selection)
    assert [row["lead_id"] for row in rows_of(tmp_path / "leads.csv")] == expected
    assert record.lead_date == selection.lead_date
    counted = exporting.callable_now(filled.session, selection)
    assert sum(sum(one.values()) for one in counted.values()) == len(expected)


@pytest.mark.parametrize("judged", [{}, {CHUNK.lead_date: ["walk_in", "mailing"]},
    {CHUNK.lead_date: ["mailing"], NEXT.lead_date: ["walk_in", "mailing"]}])  # fmt: skip
def test_what_was_published_since_days_were_judged_is_not_handed_out(
    filled: Tables, tmp_path: Path, judged: dict[date, list[str]]
) -> None:
    with pytest.raises(ExportError, match="was published meanwhile"):
        export(filled, tmp_path / "leads.csv", judged=judged)
    assert left_in(tmp_path) == []
    assert filled.count("EXPORTS") == 0


def test_every_export_is_on_record_with_the_digest_of_its_file(
    filled: Tables, tmp_path: Path
) -> None:
    before = datetime.now(UTC)
    first, _ = export(filled, tmp_path / "leads.csv")
    chosen = replace(ALL, lead_date=CHUNK.lead_date, campaigns=("mailing",))
    accepting = Origin(policy_hash="q", list_versions="", accepted_checks=("size_is_usual",))
    second, _ = export(
        filled, tmp_path / "x.parquet", layout="parquet", selection=chosen, origin=accepting
    )
    assert exporting.exports(filled.session, most=9) == [second, first]
    assert exporting.exports(filled.session, most=1) == [second]
    for record in (first, second):
        content = (tmp_path / record.file_name).read_bytes()
        assert record.sha256 == hashlib.sha256(content).hexdigest()
        assert before <= record.exported_at <= datetime.now(UTC)
        assert record.exported_by
        assert record.call_date == TOMORROW
    assert (first.lead_date, first.campaigns, first.list_versions) == (
        None,
        "mailing, walk_in",
        "internal@1;national@1",
    )
    assert (second.lead_date, second.campaigns, second.accepted_checks) == (
        CHUNK.lead_date,
        "mailing",
        "size_is_usual",
    )


@pytest.mark.usefixtures("hours")
def test_nothing_is_exported_where_there_is_nothing_to_dial(tables: Tables, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="nothing to export"):
        export(tables, tmp_path / "leads.csv")
    assert left_in(tmp_path) == []
    assert tables.count("EXPORTS") == 0


def test_leads_whose_verdicts_end_before_the_hours_begin_are_counted_and_not_exported(
    filled: Tables, tmp_path: Path
) -> None:
    filled.session.execute("UPDATE CALLABLE_LEADS SET callable_until = %s", [OPENS])
    with pytest.raises(ExportError, match=f"3 leads have no hours left on {TOMORROW}: nothing"):
        export(filled, tmp_path / "leads.csv")
    assert left_in(tmp_path) == []


def test_what_may_no_longer_be_dialled_is_not_in_the_file(filled: Tables, tmp_path: Path) -> None:
    filled.noted("dnc", Verdict.LISTED, A, C, at=NOW + timedelta(hours=1))
    record, leads = export(filled, tmp_path / "leads.csv")
    assert leads == {"mailing": 1, "walk_in": 1}
    assert record.phone_count == 2
    assert not {str(A), str(C)} & set((tmp_path / "leads.csv").read_text().split(","))


def test_a_phone_of_which_the_ledger_says_nothing_is_not_in_the_file(
    filled: Tables, tmp_path: Path
) -> None:
    filled.session.execute("DELETE FROM PHONE_VERDICTS WHERE phone = %(phone)s", {"phone": C})
    _, leads = export(filled, tmp_path / "leads.csv")
    assert leads == {"mailing": 1, "walk_in": 1}
    assert str(C) not in (tmp_path / "leads.csv").read_text()


def test_a_file_that_exists_is_kept_unless_told_otherwise(filled: Tables, tmp_path: Path) -> None:
    target = tmp_path / "leads.csv"
    target.write_text("mine")
    target.chmod(0o644)
    with pytest.raises(ExportError, match="exists"):
        export(filled, target)
    assert target.read_text() == "mine"
    assert filled.count("EXPORTS") == 0
    export(filled, target, force=True)
    assert len(rows_of(target)) == 3
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_places_where_no_file_can_be_put_are_refused(filled: Tables, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no folder"):
        export(filled, tmp_path / "none" / "leads.csv")
    with pytest.raises(ExportError, match="is a folder"):
        export(filled, tmp_path, force=True)


def test_who_cannot_vouch_stops_it_and_nothing_stays(filled: Tables, tmp_path: Path) -> None:
    class RefusedError(Exception):
        pass

    seen: list[int] = []

    def refuse_at_the_end(phones: NDArray[np.int64]) -> None:
        seen.extend(phones.tolist())
        if not len(phones):
            raise RefusedError

    with pytest.raises(RefusedError):
        export(filled, tmp_path / "leads.csv", vouch=refuse_at_the_end)
    assert sorted(seen) == [A, B, C, D]
    assert left_in(tmp_path) == []
    assert filled.count("EXPORTS") == 0


def test_a_file_that_appears_meanwhile_is_kept_and_the_record_stays_without_a_file(
    filled: Tables, tmp_path: Path
) -> None:
    target = tmp_path / "leads.csv"

    def somebody_else_writes(phones: NDArray[np.int64]) -> None:
        if not len(phones):
            target.write_text("mine")

    with pytest.raises(ExportError, match="appeared"):
        export(filled, target, vouch=somebody_else_writes)
    assert target.read_text() == "mine"
    assert left_in(tmp_path) == ["leads.csv"]
    assert filled.count("EXPORTS") == 1


def test_without_a_record_there_is_no_file(filled: Tables, tmp_path: Path) -> None:
    def spoil(phones: NDArray[np.int64]) -> None:
        if not len(phones):
            filled.session.execute("ALTER TABLE EXPORTS RENAME TO AWAY")

    try:
        with pytest.raises(WarehouseError):
            export(filled, tmp_path / "leads.csv", vouch=spoil)
    finally:
        filled.session.execute("ALTER TABLE AWAY RENAME TO EXPORTS")
    assert left_in(tmp_path) == []
    assert filled.count("EXPORTS") == 0


def test_a_table_of_records_that_somebody_changed_is_refused(
    filled: Tables, tmp_path: Path
) -> None:
    filled.session.execute("ALTER TABLE EXPORTS ADD COLUMN surplus VARCHAR")
    try:
        with pytest.raises(ExportError, match="SURPLUS"):
            export(filled, tmp_path / "leads.csv")
    finally:
        filled.session.execute("ALTER TABLE EXPORTS DROP COLUMN surplus")
    assert left_in(tmp_path) == []


def test_what_a_killed_export_left_behind_is_removed(filled: Tables, tmp_path: Path) -> None:
    dead = tmp_path / PARTIAL.format(2**22 + 1)  # beyond the largest process id of Linux
    alive = tmp_path / PARTIAL.format(os.getppid())
    before = tmp_path / PARTIAL.format(os.getpid())  # of a container that began anew
    for path in (dead, alive, before):
        path.write_text("names")
    export(filled, tmp_path / "leads.csv")
    assert left_in(tmp_path) == sorted([alive.name, "leads.csv"])


@pytest.mark.usefixtures("hours")
def test_large_answers_are_written_piece_by_piece(tables: Tables, tmp_path: Path) -> None:
    size = 2 * exporting.SLICE + 1
    tables.session.execute(
        "INSERT INTO LEADS (lead_date, chunk, lead_id, campaign, first_name, state, zip, phone_1,"
        f" extracted_at, run_id) SELECT '{CHUNK.lead_date}', 0, 'l' || range, 'walk_in', 'x',"
        f" 'FL', '32801', 4070000000 + range, SYSDATE(), 'r' FROM range({size})"
    )
    tables.session.execute(PUBLISH)
    tables.session.execute(CLEARED)
    pieces: list[Any] = []
    record, leads = export(tables, tmp_path / "leads.csv", vouch=lambda p: pieces.append(len(p)))
    assert leads == {"walk_in": size}
    assert record.row_count == record.phone_count == sum(pieces) == size
    assert max(pieces) <= exporting.SLICE
    assert len(rows_of(tmp_path / "leads.csv")) == size
