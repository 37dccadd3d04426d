"""The hours in an export: who may be called on a day, and from when until when."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from etl_dagster.leads.hours import Hours
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse import export as exporting
from etl_dagster.warehouse.call_windows import NoHoursError
from etl_dagster.warehouse.export import Export, Origin, Selection
from etl_dagster.warehouse.export_files import ExportError
from etl_dagster_tests.warehouse.conftest import NEXT, Tables
from etl_dagster_tests.warehouse.hours import (
    HONOLULU,
    LOS_ANGELES,
    MIAMI,
    NEW_YORK,
    NOON,
    TOLL_FREE,
    WINTER,
    Lead,
    Row,
    any_leads,
    at,
    in_file,
    publish_leads,
    row_on,
)

pytestmark = pytest.mark.slow

ATLANTA = 4045550100
HOURS = Hours(
    states={
        "FL": (time(8), time(12)),
        "GA": (time(14), time(20)),
        "TX": (time(11), time(15)),
        "CA": (time(18), time(21)),
    }
)
"""Hours so short that phones of one lead may share none."""
LATER = timedelta(days=300)

ExportOn = Callable[[date], tuple[Export, dict[str, Row]]]


@pytest.fixture
def export_on(tables: Tables, tmp_path: Path) -> ExportOn:
    """Export all leads for the calls of a day; return the record and what the file says."""
    target = tmp_path / "leads.csv"

    def exported(call_date: date) -> tuple[Export, dict[str, Row]]:
        record, _ = exporting.export(
            tables.session,
            Selection(call_date=call_date),
            target,
            layout="csv",
            judged=exporting.callable_now(tables.session, Selection(call_date=call_date)),
            origin=Origin(policy_hash="p", list_versions=""),
            vouch=lambda _: None,
            force=True,
        )
        rows = list(csv.DictReader(io.StringIO(target.read_text("utf-8"), newline="")))
        assert len(rows) == record.row_count
        return record, {row["lead_id"]: in_file(row) for row in rows}

    return exported


def runs_out(tables: Tables, moment: datetime) -> None:
    """Let the verdicts of all leads run out at a moment."""
    tables.session.execute(
        "UPDATE CALLABLE_LEADS SET callable_until = %(moment)s::TIMESTAMP_NTZ", {"moment": moment}
    )


def winter(hour: int, minute: int = 0) -> datetime:
    """An hour of the winter day, in UTC; 5 o'clock later in New York. 24 is the next day's 0."""
    return datetime.combine(WINTER, time(), UTC) + timedelta(hours=hour, minutes=minute)


def test_a_row_has_the_whole_of_the_days_hours(tables: Tables, export_on: ExportOn) -> None:
    publish_leads(
        tables,
        ("lead", "NY", "10001", (NEW_YORK,)),
        ("nobody", "NY", "10001", (TOLL_FREE,)),
        ("nowhere", "NY", "90001", (NEW_YORK,)),
    )
    moved = at(tables, NOON, HOURS)
    record, rows = export_on(WINTER)
    assert rows == {"lead": ((NEW_YORK, None, None), winter(13) + moved, winter(26) + moved)}
    assert (record.call_date, record.row_count, record.phone_count) == (WINTER, 1, 1)


def test_of_hours_stored_twice_a_row_has_what_both_allow(
    tables: Tables, export_on: ExportOn
) -> None:
    twice = (
        "INSERT INTO CALL_WINDOWS SELECT call_date, address_rule, area_rule,"
        " DATEADD(hour, {}, from_utc), DATEADD(hour, {}, to_utc), 'other' FROM CALL_WINDOWS"
    )
    publish_leads(tables, ("lead", "NY", "10001", (NEW_YORK,)))
    moved = at(tables, NOON, HOURS)
    tables.session.execute(twice.format(2, -1))
    _, rows = export_on(WINTER)
    assert rows == {"lead": ((NEW_YORK, None, None), winter(15) + moved, winter(25) + moved)}
    at(tables, NOON, HOURS)
    tables.session.execute(twice.format(13, 13))  # begins when the other ends
    with pytest.raises(ExportError, match="nothing to export"):
        export_on(WINTER)


def test_hours_that_are_over_are_out_and_those_that_have_not_begun_are_in(
    tables: Tables, export_on: ExportOn
) -> None:
    publish_leads(
        tables,
        ("over", "NY", "10001", (MIAMI,)),
        ("later", "NY", "10001", (ATLANTA,)),
        ("never", "NY", "10001", (LOS_ANGELES,)),  # 18 to 21 there is not before 21 here
    )
    moved = at(tables, winter(17, 2), HOURS)  # 12:02 in New York
    _, rows = export_on(WINTER)
    assert rows == {"later": ((ATLANTA, None, None), winter(19) + moved, winter(25) + moved)}


@pytest.mark.parametrize(
    ("moment", "phones", "span"),
    [
        (winter(16, 58), (MIAMI, None, NEW_YORK), (winter(13), winter(17))),
        (winter(17, 2), (None, ATLANTA, NEW_YORK), (winter(19), winter(25))),
        (winter(25, 2), (None, None, NEW_YORK), (winter(13), winter(26))),
    ],
)
def test_phones_that_share_nothing_with_the_first_one_left_are_dropped(
    tables: Tables,
    export_on: ExportOn,
    moment: datetime,
    phones: tuple[int | None, ...],
    span: tuple[datetime, datetime],
) -> None:
    publish_leads(tables, ("lead", "NY", "10001", (MIAMI, ATLANTA, NEW_YORK)))
    moved = at(tables, moment, HOURS)
    _, rows = export_on(WINTER)
    assert rows == {"lead": (phones, span[0] + moved, span[1] + moved)}


def test_the_third_phone_must_share_the_span_of_the_first_two(
    tables: Tables, export_on: ExportOn
) -> None:
    publish_leads(tables, ("lead", "NY", "10001", (NEW_YORK, ATLANTA, MIAMI)))
    moved = at(tables, winter(6), HOURS)
    _, rows = export_on(WINTER)
    span = winter(19) + moved, winter(25) + moved
    assert rows == {"lead": ((NEW_YORK, ATLANTA, None), *span)}


def test_the_hours_end_when_the_verdicts_run_out(tables: Tables, export_on: ExportOn) -> None:
    publish_leads(tables, ("lead", "NY", "10001", (NEW_YORK, ATLANTA)))
    moved = at(tables, winter(6), HOURS)
    runs_out(tables, winter(19, 1) + moved)
    _, rows = export_on(WINTER)
    span = winter(19) + moved, winter(19, 1) + moved
    assert rows == {"lead": ((NEW_YORK, ATLANTA, None), *span)}
    runs_out(tables, winter(19) + moved)
    _, rows = export_on(WINTER)
    span = winter(13) + moved, winter(19) + moved
    assert rows == {"lead": ((NEW_YORK, None, None), *span)}
    runs_out(tables, winter(13) + moved)
    with pytest.raises(ExportError, match=f"1 leads have no hours left on {WINTER}"):
        export_on(WINTER)


def test_the_hours_end_when_the_newest_word_on_a_phone_runs_out(
    tables: Tables, export_on: ExportOn
) -> None:
    publish_leads(
        tables,
        ("lead", "NY", "10001", (NEW_YORK, ATLANTA)),
        ("other", "NY", "10001", (MIAMI,)),
    )
    moved = at(tables, winter(6), HOURS)
    tables.noted(
        "ccc", Verdict.CLEAR, NEW_YORK, at=datetime.now(UTC), until=winter(20) + moved, chunk=NEXT
    )
    span = winter(19) + moved, winter(20) + moved
    _, rows = export_on(WINTER)
    assert rows == {
        "lead": ((NEW_YORK, ATLANTA, None), *span),
        "other": ((MIAMI, None, None), winter(13) + moved, winter(17) + moved),
    }


def test_a_day_on_which_nobody_can_be_called_is_refused(
    tables: Tables, export_on: ExportOn
) -> None:
    publish_leads(tables, ("lead", "NY", "10001", (NEW_YORK,)))
    with pytest.raises(NoHoursError, match="no calling hours are stored yet"):
        export_on(WINTER)
    at(tables, winter(36), HOURS)
    for days in (-1, 34):
        with pytest.raises(NoHoursError, match="there are those of 2026-01-15 to 2026-02-17"):
            export_on(WINTER + timedelta(days=days))
    with pytest.raises(NoHoursError, match="2026-01-15 are over everywhere"):
        export_on(WINTER)
    assert tables.count("EXPORTS") == 0
    assert set(export_on(WINTER + timedelta(days=33))[1]) == {"lead"}


def test_the_file_says_what_python_says_of_any_lead_and_day(
    tables: Tables, export_on: ExportOn
) -> None:
    leads: list[Lead] = [
        *any_leads(2, 150),
        *(
            (f"near {number}", state, None, phones)
            for number, (state, phones) in enumerate(
                (state, (one, two, three))
                for state in ("NY", "TX", "HI")
                for one in (MIAMI, LOS_ANGELES, TOLL_FREE)
                for two in (ATLANTA, HONOLULU)
                for three in (NEW_YORK, MIAMI, LOS_ANGELES)
            )
        ),
    ]
    publish_leads(tables, *leads)
    dropped = 0
    for moment, until, days in (
        (winter(6, 1), LATER, (0, 20)),
        (winter(27, 1), timedelta(hours=4), (-1,)),  # the evening before in America
        (datetime(2026, 3, 6, 1, 1, tzinfo=UTC), LATER, (1, 2)),  # daylight time begins on the 8th
    ):
        moved = at(tables, moment, HOURS)
        runs_out(tables, moment + until + moved)
        for day in days:
            call_date = moment.date() + timedelta(days=day)
            expected = {
                lead[0]: row_on(
                    call_date,
                    lead,
                    hours=HOURS,
                    now=moment + moved,
                    until=moment + until + moved,
                    moved=moved,
                )
                for lead in leads
            }
            kept = {name: row for name, row in expected.items() if row}
            assert export_on(call_date)[1] == kept, (moment, call_date)
            dropped += len(leads) - len(kept)
            assert kept
    assert dropped
