"""Random histories of publishing, opting out and in, taking back, running out and exporting.

Whatever happened before, an exported file holds no phone that an oracle would not call at that
moment. The oracle remembers what people and CCC said last, and looks into no table. Another one
says by `calling/oracle.py` which rows, phones and hours of what CALLABLE_NOW shows the file must
have: these and no others.
"""

import csv
import io
import os
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_dagster.defs.publish import publish_chunk
from etl_dagster.dnc import DncNotClearError, DncStore
from etl_dagster.dnc.witness import Witness
from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.hours import Hours
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.scrub.lookup_rows import ledger_batch
from etl_dagster.scrub.published import retract_listed
from etl_dagster.warehouse import call_windows, ledger
from etl_dagster.warehouse import export as exporting
from etl_dagster.warehouse.call_windows import NoHoursError
from etl_dagster.warehouse.export import Origin, Selection
from etl_dagster.warehouse.export_files import ExportError
from etl_dagster.warehouse.tables import TABLES
from etl_dagster_tests.warehouse.conftest import CHUNK, NEXT, POLICY, Tables, batch_of, origin
from etl_dagster_tests.warehouse.hours import Row, in_file, row_on

EXAMPLES = int(os.environ.get("ETL_MODEL_EXAMPLES", "6"))
"""Histories of the random test; a hundred take some minutes."""
HOURS = Hours(states={"FL": (time(8), time(12)), "GA": (time(14), time(20))})
PHONES = [3055550100, 4045550101, 2125550102, 6175550103]
"""Of Florida and Georgia, which share no hours, of New York and of Massachusetts, which do."""
TOLL_FREE = 8005550104
LEADS = {
    "one": PHONES[:2],
    "two": [TOLL_FREE, PHONES[2]],
    "three": [PHONES[1], PHONES[3], TOLL_FREE],
}
AREAS = sorted({phone // 10_000_000 for own in LEADS.values() for phone in own})
ADDRESS = ("NY", "10001")
HOURS_TABLES = {"call_places", "call_windows"}
TODAY = datetime.now(UTC).date()
FAR = datetime.now(UTC) + timedelta(days=365)
PHONE = st.sampled_from(PHONES)
ACTIONS = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from([CHUNK, NEXT]), st.sets(PHONE, max_size=1)),
    st.tuples(st.just("opt_out"), PHONE),
    st.tuples(st.just("opt_in"), PHONE),
    st.tuples(st.just("litigator"), PHONE),
    st.tuples(st.just("expire"), st.sampled_from(list(LEADS))),
    st.tuples(st.just("run_out"), st.sampled_from(list(LEADS)), st.integers(12, 26)),
    st.tuples(st.just("retract")),
    st.tuples(st.just("export"), st.sampled_from([-2, 0, 1, 1, 31, 33])),
)


LEAD_ROWS = (
    "INSERT INTO LEADS (lead_date, chunk, lead_id, campaign, state, zip, phone_1, phone_2, phone_3,"
    f" extracted_at, run_id) SELECT '{{day}}', 0, column1, 'c', '{ADDRESS[0]}', '{ADDRESS[1]}',"
    " column2, column3, column4, SYSDATE(), 'r' FROM VALUES {rows}"
)
DECISION_ROWS = (
    "INSERT INTO DNC_FILTERED (lead_date, chunk, lead_id, campaign, phone_1_verdict,"
    " phone_2_verdict, phone_3_verdict, lead_verdict, lead_reason, policy_hash, run_id,"
    " decided_at) SELECT '{day}', 0, column1, 'c', column2, column3, column4, column5, '', 'p',"
    " 'r', '{now}'::TIMESTAMP_NTZ FROM VALUES {rows}"
)


def lead_row(name: str, phones: list[int], listed: set[int]) -> str:
    """A lead as a row of SQL values."""
    del listed
    return f"('{name}', {', '.join(map(str, [*phones, *['NULL'] * (3 - len(phones))]))})"


def decision_row(name: str, phones: list[int], listed: set[int]) -> str:
    """The decision about a lead as a row of SQL values."""
    verdicts = ["'BLOCKED'" if phone in listed else "'CALLABLE'" for phone in phones]
    lead = "'CALLABLE'" if "'CALLABLE'" in verdicts else "'BLOCKED'"
    return f"('{name}', {', '.join([*verdicts, *['NULL'] * (3 - len(phones)), lead])})"


class World:
    """Real tables and a real store, and beside them what the oracle knows."""

    def __init__(self, tables: Tables, store: DncStore, folder: Path) -> None:
        self.tables, self.session, self.store, self.folder = tables, tables.session, store, folder
        self.opted_out: set[int] = set()
        self.litigators: set[int] = set()
        self.expired: set[str] = set()
        self.handed_out = 0

    def publish(self, chunk: Chunk, litigators: set[int]) -> None:
        """Scrub and publish a chunk as the stages do."""
        now, phones = datetime.now(UTC), np.array([*PHONES, TOLL_FREE])
        for table in ("LEADS", "DNC_FILTERED"):
            self.session.execute(
                f"DELETE FROM {table} WHERE lead_date = '{chunk.lead_date}' AND chunk = 0"
            )
        found = self.store.lookup(phones)
        everybody = np.ones(len(phones), dtype=np.bool_)
        batch = ledger_batch(phones, found, everybody, now)
        ledger.append(self.session, [batch], origin=origin("dnc", chunk))
        answers = [
            batch_of([phone for phone in phones.tolist() if phone not in litigators],
                     Verdict.CLEAR, at=now, until=FAR),
            batch_of(sorted(litigators), Verdict.LISTED, at=now, until=FAR),
        ]  # fmt: skip
        ledger.append(
            self.session,
            [batch for batch in answers if len(batch.phones)],
            origin=origin("ccc", chunk),
        )
        listed = {*phones[found.verdicts != Verdict.CLEAR].tolist(), *litigators}
        for insert, row in ((LEAD_ROWS, lead_row), (DECISION_ROWS, decision_row)):
            rows = ", ".join(row(name, own, listed) for name, own in LEADS.items())
            moment = now.replace(tzinfo=None)
            self.session.execute(insert.format(day=chunk.lead_date, rows=rows, now=moment))
        publish_chunk(self.session, self.store, origin("dnc", chunk), POLICY)
        self.litigators = set(litigators)
        self.expired = set()

    def opt_out(self, phone: int) -> None:
        self.store.opt_out([phone])
        self.opted_out.add(phone)

    def opt_in(self, phone: int) -> None:
        if phone in self.opted_out:
            self.store.remove_opt_out([phone], reason="asked to be called", by="tests")
            self.opted_out.remove(phone)

    def litigator(self, phone: int) -> None:
        """CCC says so, when another day asks."""
        self.tables.said("ccc", Verdict.LISTED, phone, at=datetime.now(UTC), until=FAR)
        self.litigators.add(phone)

    def expire(self, lead: str) -> None:
        self.session.execute(
            "UPDATE CALLABLE_LEADS SET callable_until = DATEADD(second, -1, SYSDATE())"
            f" WHERE lead_id = '{lead}'"
        )
        self.expired.add(lead)

    def run_out(self, lead: str, hour: int) -> None:
        """The lead's verdicts run out tomorrow or the day after, within its hours or not."""
        moment = datetime.combine(TODAY, time(), UTC) + timedelta(days=1, hours=hour)
        self.session.execute(
            "UPDATE CALLABLE_LEADS SET callable_until = %(moment)s::TIMESTAMP_NTZ"
            " WHERE lead_id = %(lead)s AND callable_until > %(moment)s::TIMESTAMP_NTZ",
            {"moment": moment, "lead": lead},
        )

    def retract(self) -> None:
        for chunk in (CHUNK, NEXT):
            retract_listed(self.session, self.store, origin("dnc", chunk))

    def expected(self, call_date: date) -> dict[str, Row]:
        """What the file of a day must say at this moment, of what CALLABLE_NOW shows."""
        now = datetime.now(UTC)
        shown = self.session.rows(
            "SELECT lead_id, callable_until, phone_1, phone_2, phone_3 FROM CALLABLE_NOW"
        )
        found = {
            name: row_on(call_date, (name, *ADDRESS, phones), hours=HOURS, now=now, until=until)
            for name, until, *phones in shown
        }
        return {name: row for name, row in found.items() if row}

    def export(self, days: int = 1) -> None:
        target = self.folder / "leads.csv"
        before = self.tables.count("EXPORTS")
        witness = Witness(self.store)
        call_date = TODAY + timedelta(days=days)
        expected = self.expected(call_date)
        refused = not 0 <= days <= call_windows.DAYS_AHEAD
        failed: Exception | None = None
        try:
            record, _ = exporting.export(
                self.session,
                Selection(call_date=call_date),
                target,
                layout="csv",
                judged=exporting.callable_now(self.session, Selection(call_date=call_date)),
                origin=Origin(policy_hash="p", list_versions=witness.list_versions),
                vouch=witness,
            )
        except (ExportError, DncNotClearError, NoHoursError) as error:
            failed = error
        if failed:
            assert list(self.folder.iterdir()) == []
            assert self.tables.count("EXPORTS") == before
            wanted = {phone for phones, *_ in expected.values() for phone in phones}
            why = {
                NoHoursError: refused,
                DncNotClearError: bool(wanted & self.opted_out),
                ExportError: not expected or not self.expected(call_date),
            }
            assert why[type(failed)], (failed, expected, refused)
            return
        text = target.read_text("utf-8")
        target.unlink()
        assert not refused
        rows = {row["lead_id"]: row for row in csv.DictReader(io.StringIO(text, newline=""))}
        found = {name: in_file(row) for name, row in rows.items()}
        assert found in (expected, self.expected(call_date))  # today's hours may just have ended
        for name, (own, *_) in found.items():
            phones = {phone for phone in own if phone}
            assert name not in self.expired
            assert phones <= set(LEADS[name])
            assert not phones & (self.opted_out | self.litigators)
            self.handed_out += len(phones)
        assert self.tables.count("EXPORTS", f"sha256 = '{record.sha256}'") >= 1


@pytest.fixture
def play(tables: Tables, tmp_path: Path) -> Callable[[Sequence[tuple[object, ...]]], int]:
    """Let a history happen in an empty world; return how many phones were handed out."""
    call_windows.keep_up(tables.session, HOURS, today=TODAY)

    def history(actions: Sequence[tuple[object, ...]]) -> int:
        for name in TABLES:
            if name not in HOURS_TABLES:
                tables.session.execute(f"DELETE FROM {name}")
        path = tmp_path / "dnc.sqlite"
        for left in tmp_path.glob("dnc.*"):
            left.unlink()
        numbers = tmp_path / "dnc.txt"
        numbers.write_text("".join(f"{phone + 5_000}\n" for phone in PHONES))
        folder = tmp_path / "out"
        folder.mkdir(exist_ok=True)
        with DncStore.create(path) as store:
            loaded = datetime.now(UTC) - timedelta(hours=1)
            store.add_list("national", [numbers], as_of=loaded, kind="national", covers=AREAS)
            world = World(tables, store, folder)
            for name, *arguments in actions:
                getattr(world, str(name))(*arguments)
            world.export()
        return world.handed_out

    return history


@pytest.mark.slow
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(ACTIONS, min_size=1, max_size=8))
def test_no_history_hands_out_a_phone_that_may_not_be_called(
    play: Callable[[Sequence[tuple[object, ...]]], int], actions: Sequence[tuple[object, ...]]
) -> None:
    play([("publish", CHUNK, set()), *actions])


def test_what_happens_to_one_phone_takes_no_other_out(
    play: Callable[[Sequence[tuple[object, ...]]], int],
) -> None:
    everybody = [("publish", CHUNK, set())]
    assert play(everybody) == 4  # of the first lead Florida's phone alone, no toll-free one
    assert play([*everybody, ("opt_out", PHONES[1])]) == 0  # refused: not taken back yet
    taken_back = [*everybody, ("opt_out", PHONES[0]), ("retract",)]
    assert play(taken_back) == 4  # Georgia's instead
    again = [*taken_back, ("opt_in", PHONES[0]), ("publish", CHUNK, set())]
    assert play([*again, ("expire", "one"), ("litigator", PHONES[2])]) == 2
