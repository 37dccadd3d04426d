"""Random histories of publishing, opting out and in, taking back, running out and exporting.

Whatever happened before, an exported file holds no phone that an oracle would not call at that
moment. The oracle remembers what people and CCC said last, and looks into no table.
"""

import csv
import io
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_dagster.defs.lookup_rows import ledger_batch
from etl_dagster.defs.publish import publish_chunk
from etl_dagster.defs.retract import retract_listed
from etl_dagster.dnc import DncNotClearError, DncStore
from etl_dagster.dnc.witness import Witness
from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse import export as exporting
from etl_dagster.warehouse import ledger
from etl_dagster.warehouse.export import Origin, Selection
from etl_dagster.warehouse.export_place import ExportError
from etl_dagster.warehouse.tables import TABLES
from etl_dagster_tests.warehouse.conftest import CHUNK, NEXT, POLICY, Tables, origin

PHONES = [4075550100 + number for number in range(4)]
LEADS = {"one": PHONES[:2], "two": PHONES[2:3], "three": [PHONES[1], PHONES[3]]}
FAR = datetime.now(UTC) + timedelta(days=365)
PHONE = st.sampled_from(PHONES)
ACTIONS = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from([CHUNK, NEXT]), st.sets(PHONE, max_size=1)),
    st.tuples(st.just("opt_out"), PHONE),
    st.tuples(st.just("opt_in"), PHONE),
    st.tuples(st.just("litigator"), PHONE),
    st.tuples(st.just("expire"), st.sampled_from(list(LEADS))),
    st.tuples(st.just("retract")),
    st.tuples(st.just("export")),
)


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
        now, phones = datetime.now(UTC), np.array(PHONES)
        for table in ("LEADS", "DNC_FILTERED"):
            self.session.execute(
                f"DELETE FROM {table} WHERE lead_date = '{chunk.lead_date}' AND chunk = 0"
            )
        found = self.store.lookup(phones)
        everybody = np.ones(len(phones), dtype=np.bool_)
        batch = ledger_batch(phones, found, everybody, now)
        ledger.append(self.session, [batch], origin=origin("dnc", chunk))
        clear = [phone for phone in PHONES if phone not in litigators]
        self.tables.said("ccc", Verdict.CLEAR, *clear, at=now, until=FAR, chunk=chunk)
        self.tables.said("ccc", Verdict.LISTED, *litigators, at=now, until=FAR, chunk=chunk)
        listed = {*phones[found.verdicts != Verdict.CLEAR].tolist(), *litigators}
        for name, own in LEADS.items():
            self.tables.lead(name, *own, chunk=chunk)
            verdicts = ["BLOCKED" if phone in listed else "CALLABLE" for phone in own]
            lead = "CALLABLE" if "CALLABLE" in verdicts else "BLOCKED"
            self.tables.judged(name, *verdicts, chunk=chunk, lead=lead, at=now)
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

    def retract(self) -> None:
        for chunk in (CHUNK, NEXT):
            retract_listed(self.session, self.store, origin("dnc", chunk))

    def export(self) -> None:
        target = self.folder / "leads.csv"
        before = self.tables.count("EXPORTS")
        witness = Witness(self.store)
        try:
            record, _ = exporting.export(
                self.session,
                Selection(),
                target,
                layout="csv",
                origin=Origin(policy_hash="p", list_versions=witness.list_versions),
                vouch=witness,
            )
        except (ExportError, DncNotClearError):
            assert list(self.folder.iterdir()) == []
            assert self.tables.count("EXPORTS") == before
            return
        text = target.read_text("utf-8")
        target.unlink()
        for row in csv.DictReader(io.StringIO(text, newline="")):
            phones = {int(row[f"phone_{place}"] or 0) for place in (1, 2, 3)} - {0}
            assert row["lead_id"] not in self.expired
            assert phones <= set(LEADS[row["lead_id"]])
            assert not phones & (self.opted_out | self.litigators)
            self.handed_out += len(phones)
        assert self.tables.count("EXPORTS", f"sha256 = '{record.sha256}'") >= 1


@pytest.fixture
def play(tables: Tables, tmp_path: Path) -> Callable[[Sequence[tuple[object, ...]]], int]:
    """Let a history happen in an empty world; return how many phones were handed out."""

    def history(actions: Sequence[tuple[object, ...]]) -> int:
        for name in TABLES:
            tables.session.execute(f"DELETE FROM {name}")
        path = tmp_path / "dnc.sqlite"
        for left in tmp_path.glob("dnc.*"):
            left.unlink()
        numbers = tmp_path / "dnc.txt"
        numbers.write_text("".join(f"{phone + 5_000}\n" for phone in PHONES))
        folder = tmp_path / "out"
        folder.mkdir(exist_ok=True)
        with DncStore.create(path) as store:
            today = datetime.now(UTC) - timedelta(hours=1)
            store.add_list("national", [numbers], as_of=today, kind="national", covers=[407])
            world = World(tables, store, folder)
            for name, *arguments in actions:
                getattr(world, str(name))(*arguments)
            world.export()
        return world.handed_out

    return history


@pytest.mark.slow
@settings(
    max_examples=10,
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
    assert play(everybody) == 5
    assert play([*everybody, ("opt_out", PHONES[1])]) == 0  # refused: not taken back yet
    taken_back = [*everybody, ("opt_out", PHONES[1]), ("retract",)]
    assert play(taken_back) == 3
    again = [*taken_back, ("opt_in", PHONES[1]), ("publish", CHUNK, set())]
    assert play(again) == 5
    assert play([*again, ("expire", "one"), ("litigator", PHONES[2])]) == 2
