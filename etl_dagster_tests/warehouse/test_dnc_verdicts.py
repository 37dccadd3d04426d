"""The Do-Not-Call verdicts of a chunk, as they are read to be decided again."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse.dnc_verdicts import chunks_of, read_decided, read_resting, read_verdicts
from etl_dagster_tests.warehouse.conftest import CHUNK, FRESH, NEXT, NOW, POLICY, Tables

A, B, C, D = (4075550100 + n for n in range(4))
LATER = NOW + timedelta(hours=1)


@pytest.mark.parametrize("rows_at_once", [1, 3, 1_000])
def test_every_verdict_comes_once_with_what_was_decided_together(
    tables: Tables, rows_at_once: int
) -> None:
    tables.said("dnc", Verdict.CLEAR, A, B)
    tables.said("dnc", Verdict.UNKNOWN, C, at=LATER, until=None, reason="stale")
    tables.said("ccc", Verdict.LISTED, A)
    tables.said("dnc", Verdict.LISTED, D, chunk=NEXT)
    found: dict[datetime, list[tuple[int, str, str, datetime | None]]] = {}
    for part in read_verdicts(tables.session, CHUNK, rows_at_once=rows_at_once):
        assert (part.chunk, part.policy_hash, part.list_versions) == (CHUNK, POLICY.hash, "")
        texts = part.verdicts.to_pylist(), part.reasons.to_pylist()
        until = part.valid_until.astype("datetime64[us]").tolist()
        rows = zip(part.phones.tolist(), *texts, until, strict=True)
        found.setdefault(part.checked_at, []).extend(rows)
    fresh = FRESH.replace(tzinfo=None)
    assert {at: sorted(rows) for at, rows in found.items()} == {
        NOW: [(A, "CLEAR", "", fresh), (B, "CLEAR", "", fresh)],
        LATER: [(C, "UNKNOWN", "stale", None)],
    }
    assert chunks_of(tables.session, CHUNK.lead_date) == [CHUNK]


def test_a_chunk_without_verdicts_was_decided_on_those_of_elsewhere(tables: Tables) -> None:
    assert list(read_verdicts(tables.session, CHUNK)) == []
    assert read_decided(tables.session, CHUNK) is None
    tables.said("dnc", Verdict.CLEAR, A, chunk=NEXT)
    tables.lead("lead", A, B)
    tables.judged("lead", "CALLABLE", "UNKNOWN")
    decided = read_decided(tables.session, CHUNK)
    assert decided is not None
    assert (decided.at, decided.exact, decided.policy_hash) == (NOW, False, "p")
    assert chunks_of(tables.session, CHUNK.lead_date) == [CHUNK]
    resting = {
        phone: (part.chunk, part.policy_hash)
        for part in read_resting(tables.session, CHUNK, decided)
        for phone in part.phones.tolist()
    }
    assert resting == {A: (NEXT, POLICY.hash), B: (CHUNK, "")}
    assert np.int64 == next(read_resting(tables.session, CHUNK, decided)).phones.dtype
