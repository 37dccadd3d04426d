"""A ledger, a Do-Not-Call store and raw answers about some phones, without any run."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from etl_dagster.dnc import DncStore
from etl_dagster.evidence import gathering, pack
from etl_dagster.evidence.decisions import Rules
from etl_dagster.evidence.gathering import Evidence, Origin
from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.policy import Policy
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.scrub.lookup_rows import ledger_batch
from etl_dagster.warehouse import ledger
from etl_dagster.warehouse.ledger import LedgerBatch
from etl_dagster.warehouse.policies import keep_policy
from etl_dagster.warehouse.session import Warehouse
from etl_dagster.warehouse.tables import TABLES
from etl_dagster_tests.warehouse.conftest import CHUNK, NOW, POLICY, Tables, batch_of, origin

PHONES = [4075550100 + number for number in range(6)]
ASKED, SUED, LISTED, OTHER = PHONES[0], PHONES[1], PHONES[2], PHONES[5]
LATER = NOW + timedelta(hours=1)
MADE = Origin(
    ledger="embedded/ETL_TEST.TABLES",
    deployment="local",
    ui_url="http://127.0.0.1:3000",
    made_at=NOW + timedelta(days=30),
)


def answer_about(*phones: int, at: datetime = NOW, kept: bool = True) -> LedgerBatch:
    """An answer of CCC: SUED is a litigator's, nobody else is."""
    said = [{"Phone": phone, "IsLitigator": phone == SUED} for phone in phones]
    body = json.dumps(said).encode()
    verdicts = [Verdict.LISTED if phone == SUED else Verdict.CLEAR for phone in phones]
    return replace(
        batch_of(phones, Verdict.CLEAR, at=at, until=at + timedelta(days=7)),
        verdicts=np.array(verdicts, np.int8),
        reasons=["litigator" if phone == SUED else "" for phone in phones],
        evidence_hash=hashlib.sha256(body).hexdigest(),
        answer=body if kept else b"",
    )


@dataclass
class World:
    """What was said of the phones, and how evidence of it is made."""

    tables: Tables
    store: Path
    folder: Path
    now: list[datetime] = field(default_factory=lambda: [NOW])

    def open_store(self, rules: Rules | None = None) -> DncStore:
        return DncStore.open(
            self.store,
            max_age_days=rules.dnc_max_age_days if rules else None,
            must_have=rules.dnc_lists if rules else (),
            clock=lambda: self.now[-1],
        )

    def answered(self, *phones: int, chunk: Chunk = CHUNK, **how: Any) -> LedgerBatch:
        """CCC answers; see `answer_about`."""
        batch = answer_about(*phones, **how)
        ledger.append(self.tables.session, [batch], origin=origin("ccc", chunk))
        return batch

    def refused(self, *phones: int, body: bytes, at: datetime = NOW) -> LedgerBatch:
        """CCC answers with something that is not about what was asked."""
        batch = replace(
            batch_of(phones, Verdict.UNKNOWN, at=at, until=None, reason="malformed_response"),
            evidence_hash=hashlib.sha256(body).hexdigest(),
            answer=body,
        )
        ledger.append(self.tables.session, [batch], origin=origin("ccc"))
        return batch

    def looked_up(
        self,
        *phones: int,
        at: datetime = LATER,
        chunk: Chunk = CHUNK,
        policy: Policy = POLICY,
    ) -> LedgerBatch:
        """The lists are asked, as of then."""
        numbers = np.array(phones, np.int64)
        with DncStore.open(self.store, max_age_days=31, clock=lambda: at) as store:
            found = store.lookup(numbers)
        batch = ledger_batch(numbers, found, np.ones(len(phones), np.bool_), at)
        ledger.append(self.tables.session, [batch], origin=origin("dnc", chunk, policy=policy))
        return batch

    def opt_out(self, phone: int, at: datetime) -> None:
        with DncStore.open(self.store, read_only=False, clock=lambda: at) as store:
            store.opt_out([phone], source="letter", by="Ann")

    def gather(
        self,
        phone: int = ASKED,
        only: date | None = None,
        in_force: Mapping[str, str] | None = None,
        *,
        keeps_answers: bool = True,
    ) -> Evidence:
        return gathering.gather(
            self.tables.session,
            phone,
            only=only,
            open_store=self.open_store,
            in_force=in_force or {},
            origin=replace(MADE, keeps_answers=keeps_answers),
        )

    def make(self, evidence: Evidence, name: str = "pack", **heads: Path) -> Path:
        return make(evidence, self.folder / name, **heads)


def content_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "evidence.json").read_text(encoding="utf-8"))
    return found


def bare(tables: Tables, folder: Path) -> World:
    """A policy on record and a national list that has LISTED; nothing was asked."""
    store, file = folder / "dnc.sqlite", folder / "national.txt"
    file.write_text(f"{LISTED}\n{OTHER + 1}\n", encoding="utf-8")
    before = NOW - timedelta(days=1)
    with DncStore.create(store, clock=lambda: before) as made:
        made.add_list("national", [file], as_of=before, kind="national", covers=[407])
    keep_policy(tables.session, POLICY, run_id="r")
    return World(tables=tables, store=store, folder=folder)


def filled(world: World) -> World:
    """Three batches of answers, and the lists; a lead has the phone that is asked about."""
    world.tables.lead("someone", ASKED, OTHER)
    answers = [
        answer_about(OTHER),
        answer_about(*PHONES[:4]),
        answer_about(OTHER, at=LATER),
    ]
    ledger.append(world.tables.session, answers, origin=origin("ccc"))
    world.looked_up(*PHONES)
    return world


@pytest.fixture
def empty_world(tables: Tables, tmp_path: Path) -> World:
    return bare(tables, tmp_path)


@pytest.fixture
def world(empty_world: World) -> World:
    return filled(empty_world)


@pytest.fixture(scope="session")
def gathered(tables_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """The evidence of ASKED, for tests of what is made of it; they change a copy, or nothing."""
    with tables_warehouse.session() as session:
        for name in TABLES:
            session.execute(f"DELETE FROM {name}")
        return filled(bare(Tables(session), tmp_path_factory.mktemp("gathered"))).gather()


def make(evidence: Evidence, folder: Path, **heads: Path) -> Path:
    """Write the folder."""
    pack.write(evidence, folder, **heads)
    return folder
