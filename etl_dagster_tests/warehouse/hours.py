"""Leads at many places, and what Python says of the hours in which they may be called.

A test chooses the moment by moving the stored windows to now, never the clock: what is said of a
moment does not depend on the hour at which the tests run.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from etl_dagster.calling import CallWindow
from etl_dagster.calling.places import ADDRESSES, AREA_CODES
from etl_dagster.leads.hours import Hours
from etl_dagster.warehouse import call_windows
from etl_dagster.warehouse.publication import publish
from etl_dagster_tests.calling.oracle import UnplacedError, call_window, of_address, of_phone
from etl_dagster_tests.warehouse.conftest import CHUNK, NOW, POLICY, Tables

HOURS = Hours(states={"FL": (time(8), time(20))})
WINTER = date(2026, 1, 15)
NOON = datetime(2026, 1, 15, 17, tzinfo=UTC)
"""Noon in New York, 9 o'clock in Los Angeles."""
NEW_YORK, LOS_ANGELES, MIAMI, HONOLULU = 2125550100, 2135550100, 3055550100, 8085550100
TOLL_FREE, TORONTO = 8005550100, 4165550100

Lead = tuple[str, str | None, str | None, tuple[int | None, ...]]


def publish_leads(tables: Tables, *leads: Lead) -> None:
    """Publish leads (name, state, ZIP, phones) that no verdict stops."""
    phones = sorted({phone for *_, own in leads for phone in own if phone})
    of_all = {"LEAD_DATE": CHUNK.lead_date, "CHUNK": CHUNK.number, "CAMPAIGN": "c", "RUN_ID": "r"}
    at_once: dict[str, list[dict[str, Any]]] = {"LEADS": [], "DNC_FILTERED": []}
    for name, state, zip_code, own in leads:
        numbered = dict(enumerate(own, 1))
        at_once["LEADS"].append(
            {"LEAD_ID": name, "FIRST_NAME": name, "STATE": state, "ZIP": zip_code}
            | {f"PHONE_{n}": phone for n, phone in numbered.items()}
            | {"EXTRACTED_AT": NOW}
        )
        at_once["DNC_FILTERED"].append(
            {"LEAD_ID": name, "LEAD_VERDICT": "CALLABLE", "LEAD_REASON": "", "POLICY_HASH": "p"}
            | {"DECIDED_AT": NOW}
            | {f"PHONE_{n}_VERDICT": "CALLABLE" if phone else None for n, phone in numbered.items()}
        )
    for table, rows in at_once.items():
        columns = dict.fromkeys(column for row in rows for column in row)
        tables.insert(table, *({**of_all, **dict.fromkeys(columns), **row} for row in rows))
    tables.cleared(*phones, until=NOW + timedelta(days=36_500))
    publish(
        tables.session, CHUNK, POLICY, moment=NOW, run_id="r", ask_again=lambda phones: phones[:0]
    )
    assert tables.count("CALLABLE_NOW") == len(leads)


def at(tables: Tables, moment: datetime, hours: Hours = HOURS) -> timedelta:
    """Make a moment now; return by how much the windows were moved."""
    tables.session.execute("DELETE FROM CALL_WINDOWS")
    call_windows.keep_up(tables.session, hours, today=moment.date())
    moved = timedelta(seconds=round((datetime.now(UTC) - moment).total_seconds()))
    tables.session.execute(
        "UPDATE CALL_WINDOWS SET from_utc = DATEADD(second, %(by)s, from_utc),"
        " to_utc = DATEADD(second, %(by)s, to_utc)",
        {"by": round(moved.total_seconds())},
    )
    return moved


def any_leads(seed: int, size: int) -> Iterator[Lead]:
    """Addresses and phones of all kinds, many of one state, some that make no sense."""
    draw = random.Random(seed)
    phones = [int(code) * 10_000_000 + 5_550_100 for code in AREA_CODES]
    phones += [TOLL_FREE, TORONTO]
    keys = sorted(ADDRESSES)
    odd: Sequence[tuple[str | None, str | None]] = [
        (None, None), ("Florida", "32501"), ("FL", "00000"), ("ny ", "10001"), ("FL-324", None),
    ]  # fmt: skip
    for number in range(size):
        state, _, prefix = draw.choice(keys).partition("-")
        address = (state or None, f"{prefix}01" if prefix else None)
        if number % 20 == 0:
            address = draw.choice(odd)
        own: list[int | None] = [draw.choice(phones)]
        own += [draw.choice([None, draw.choice(phones)]) for _ in range(2)]
        yield f"{number:04d}", *address, tuple(own)


Row = tuple[tuple[int | None, ...], datetime, datetime]
"""The phones that are left of a lead, and from when until when they may be called."""


def row_on(
    day: date,
    lead: Lead,
    *,
    hours: Hours,
    now: datetime,
    until: datetime,
    moved: timedelta = timedelta(0),
) -> Row | None:
    """What an export for the calls of a day must say of a lead.

    Args:
        day: the local calendar day.
        lead: where it is, and its phones that CALLABLE_NOW shows.
        hours: the policy's.
        now: the moment of the export.
        until: when the lead's verdicts run out.
        moved: by how much the stored windows were moved.
    """
    _, state, zip_code, phones = lead
    kept: list[int | None] = []
    shared: CallWindow | None = None
    for phone in phones:
        kept.append(None)
        try:
            window = call_window(day, hours, of_address(state, zip_code), of_phone(phone or 0))
        except UnplacedError:
            continue
        if window is None or window.closes + moved <= now:
            continue
        both = CallWindow(
            max(window.opens + moved, shared.opens if shared else window.opens + moved),
            min(window.closes + moved, until, shared.closes if shared else until),
        )
        if both.opens < both.closes:
            kept[-1], shared = phone, both
    return (tuple(kept), shared.opens, shared.closes) if shared else None


def in_file(row: Mapping[str, str]) -> Row:
    """What a line of the file says of phones and hours."""
    phones = tuple(int(row[f"phone_{n}"]) if row[f"phone_{n}"] else None for n in (1, 2, 3))
    opens, closes = (datetime.fromisoformat(row[f"call_{end}_utc"]) for end in ("from", "to"))
    return phones, opens, closes
