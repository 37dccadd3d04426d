"""What a run that died had bought and not recorded is on record after the next one began."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import numpy as np
from fakeredis import FakeRedis, FakeServer

from etl_dagster.ccc.journal import AnswerJournal
from etl_dagster.defs.asking import ledger_batches, take_over
from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse import ledger, scrubbing
from etl_dagster.warehouse.ledger import Provenance
from etl_dagster_tests.ccc.test_journal import batch_of
from etl_dagster_tests.defs.line import DAY, Line, person
from etl_dagster_tests.defs.test_reruns import assert_chains_are_whole
from etl_dagster_tests.warehouse.conftest import POLICY

CHUNK = Chunk(DAY, 0)
ORIGIN = Provenance(chunk=CHUNK, source="ccc", policy_hash="p", run_id="r", deployment="local")
MOMENT = datetime.now(UTC) - timedelta(hours=1)


def test_a_dead_runs_answers_are_recorded_once_and_not_asked_for_again(one_chunk: Line) -> None:
    line, redis = one_chunk, FakeRedis(server=FakeServer())
    recorded = batch_of("recorded", Verdict.CLEAR, at=MOMENT)
    lost = batch_of("lost", *[Verdict.CLEAR, Verdict.LISTED, Verdict.CLEAR], at=MOMENT)
    lost.phones[:] += 10
    AnswerJournal(redis, "chunk", secret="key").keep([recorded, lost])
    phones = [*recorded.phones, *lost.phones]
    line.people([person(number, int(phone)) for number, phone in enumerate(phones)])
    assert line.run(asset_selection=[dg.AssetKey("leads")]).success

    journal = AnswerJournal(redis, "chunk", secret="key")
    with line.session() as session:
        # the run died after its commit, and before it could forget
        ledger.append(
            session, ledger_batches([recorded], POLICY.ttl("ccc"), keep=True), origin=ORIGIN
        )
        assert take_over(session, journal, ORIGIN, POLICY.ttl("ccc"), keep=True) == 3
        assert take_over(session, journal, ORIGIN, POLICY.ttl("ccc"), keep=True) == 0
        assert scrubbing.gather_evidence(session, CHUNK) == 4
        now = datetime.now(UTC)
        due = scrubbing.phones_to_ask(session, POLICY, "ccc", moment=now, force=False)
        assert due.tolist() == []
    found = line.rows("SELECT phone, checked_at, valid_until FROM PHONE_VERDICTS")
    assert sorted(row["PHONE"] for row in found) == sorted(int(phone) for phone in phones)
    # valid from when CCC was asked, not from when it was recorded
    assert {row["VALID_UNTIL"] - row["CHECKED_AT"] for row in found} == {POLICY.ttl("ccc")}
    assert {row["CHECKED_AT"] for row in found} == {scrubbing.naive(MOMENT)}
    assert line.count("CCC_ANSWERS") == 2
    assert_chains_are_whole(line)
    assert journal.kept() == []


def test_an_answer_that_has_run_out_meanwhile_clears_nobody(one_chunk: Line) -> None:
    line, redis = one_chunk, FakeRedis(server=FakeServer())
    old = batch_of("old", Verdict.CLEAR, at=MOMENT)
    line.people([person(1, int(old.phones[0]))])
    assert line.run(asset_selection=[dg.AssetKey("leads")]).success
    journal = AnswerJournal(redis, "chunk", secret="key")
    journal.keep([old])
    short = POLICY.with_limits(ccc_ttl_days=1 / 48)
    with line.session() as session:
        assert take_over(session, journal, ORIGIN, short.ttl("ccc"), keep=False) == 1
        assert scrubbing.gather_evidence(session, CHUNK) == 1
        now = datetime.now(UTC)
        due = scrubbing.phones_to_ask(session, short, "ccc", moment=now, force=False)
    assert np.array_equal(due, old.phones)
