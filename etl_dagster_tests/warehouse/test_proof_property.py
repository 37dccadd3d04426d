"""Two proofs of one ledger: `decide` over its newest rows, and the SQL that publishes.

Whatever the ledger holds, SQL must never clear a phone that `decide` does not; and whatever comes
after a decision takes phones out, and never makes the decision a contradiction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import product

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from etl_dagster.leads.policy import Policy
from etl_dagster.leads.policy_text import ALWAYS, SOURCES
from etl_dagster.leads.verdicts import Decision, Decisions, Evidence, Verdict, decide
from etl_dagster.warehouse import publication
from etl_dagster.warehouse.phone_history import read_history
from etl_dagster_tests.warehouse.conftest import CHUNK, NEXT, NOW, POLICY, Tables

pytestmark = pytest.mark.slow

PHONES = [4075550100 + n for n in range(12)]
OTHER = replace(POLICY, dnc_max_age_days=30)
"""A policy under which some rows were written."""


@dataclass(frozen=True)
class Row:
    """A ledger row: hours before now that it was written, hours from now until when it is valid.

    Decisions are made now, so that what has a negative age came after them.
    """

    phone: int
    source: str
    verdict: Verdict
    age: float
    valid: int | None
    policy: Policy = POLICY

    @property
    def checked_at(self) -> datetime:
        return NOW - timedelta(hours=self.age)

    @property
    def valid_until(self) -> datetime | None:
        return None if self.valid is None else NOW + timedelta(hours=self.valid)


ROWS = st.builds(
    Row,
    phone=st.sampled_from(PHONES),
    source=st.sampled_from(["ccc", "ccc_full", "dnc"]),
    # mostly CLEAR, or next to no phone would ever be callable
    verdict=st.sampled_from([Verdict.CLEAR] * 6 + [Verdict.LISTED, Verdict.UNKNOWN]),
    age=st.sampled_from([-0.5, -0.25, 0, 1, 2, 46, 47, 48, 49]),
    valid=st.sampled_from([24, 24, 24, 72, 1, 0, -1, None]),
    policy=st.sampled_from([POLICY, POLICY, POLICY, OTHER]),
)
REQUIRED = st.sampled_from([("ccc", "dnc"), ("ccc",), ("dnc",), SOURCES])
FILLED = [Row(phone, source, Verdict.CLEAR, 47, 24) for phone in PHONES for source in SOURCES]
"""Under a policy of two days, CCC's answers of these end sooner than they say."""
TWINS = [
    Row(phone, source, Verdict.CLEAR, 0, valid)
    for phone, source, valid in product(PHONES[:3], ("ccc", "dnc"), (24, None))
]
"""Two rows of one moment, of which one is valid for no time."""
SINCE = [
    Row(PHONES[0], "dnc", Verdict.LISTED, -0.25, 24),
    Row(PHONES[1], "ccc", Verdict.UNKNOWN, -0.25, None),
    Row(PHONES[2], "dnc", Verdict.CLEAR, -0.25, 24, OTHER),
]
"""What takes callable phones out after the decision."""
PUBLICATION = NOW + timedelta(minutes=45)

LISTED = [
    Row(PHONES[0], "ccc", Verdict.LISTED, 0, 24),
    Row(PHONES[1], "dnc", Verdict.LISTED, 0, 24),
]
"""Phones that a source lists, which the policy may not require."""
FULL = [
    Row(PHONES[0], "ccc_full", Verdict.LISTED, 0, 24),
    Row(PHONES[1], "ccc_full", Verdict.UNKNOWN, 0, None),
    Row(PHONES[2], "ccc_full", Verdict.CLEAR, 0, 24, OTHER),
    Row(PHONES[3], "ccc_full", Verdict.CLEAR, 0, -1),
]
"""What the full scrub said: the first always counts, the others where it is required."""


def newest(rows: Sequence[Row], phone: int, source: str) -> Row | None:
    """The row that counts: of several of one moment, the strictest."""
    strictness = [Verdict.LISTED, Verdict.UNKNOWN, Verdict.CLEAR]
    mine = [row for row in rows if (row.phone, row.source) == (phone, source)]
    return min(
        mine,
        key=lambda row: (
            row.age,
            strictness.index(row.verdict),
            -1_000 if row.valid is None else row.valid,
        ),
        default=None,
    )


def evidence(rows: Sequence[Row], source: str, policy: Policy) -> Evidence:
    """What a source's newest rows say under a policy."""
    verdicts, ends = [], []
    for phone in PHONES:
        row = newest(rows, phone, source)
        verdict, end = (row.verdict, row.valid_until) if row else (Verdict.UNKNOWN, None)
        if row and source == "ccc" and end:
            end = min(end, row.checked_at + policy.ttl("ccc"))
        if row and source != "ccc" and verdict is Verdict.CLEAR and row.policy != policy:
            verdict = Verdict.UNKNOWN
        verdicts.append(verdict)
        ends.append(
            np.datetime64("NaT") if end is None else np.datetime64(end.replace(tzinfo=None))
        )
    return Evidence(
        verdicts=np.array(verdicts, np.int8), valid_until=np.array(ends, "datetime64[us]")
    )


def decided(rows: Sequence[Row], policy: Policy, moment: datetime) -> Decisions:
    sources = {source: evidence(rows, source, policy) for source in SOURCES}
    return decide(sources, required=policy.required_sources, moment=moment)


def first_end(rows: Sequence[Row], phone: int, policy: Policy) -> datetime:
    """When the first CLEAR on a phone runs out, of what every run asks or the policy requires."""
    ends = []
    for source in {*ALWAYS, *policy.required_sources}:
        found = evidence(rows, source, policy)
        at = PHONES.index(phone)
        if found.verdicts[at] == Verdict.CLEAR:
            ends.append(found.valid_until[at].item())
    return min(end for end in ends if end is not None)


def names(found: Decisions) -> list[str]:
    return [Decision(code).name for code in found.decisions.tolist()]


def write(tables: Tables, rows: Sequence[Row]) -> None:
    """The ledger, as many runs of many days might have left it."""
    for name in ("PHONE_VERDICTS", "LEADS", "DNC_FILTERED"):
        tables.session.execute(f"DELETE FROM {name}")
    for at in range(0, len(PHONES), 3):
        tables.lead(f"lead {at}", *PHONES[at : at + 3])
    records = [
        {
            "LEAD_DATE": (CHUNK if number % 2 else NEXT).lead_date,
            "CHUNK": 0,
            "PHONE": row.phone,
            "SOURCE": row.source,
            "VERDICT": row.verdict.name,
            "REASON": "",
            "LIST_VERSIONS": "",
            "CHECKED_AT": row.checked_at.replace(tzinfo=None),
            "VALID_UNTIL": row.valid_until and row.valid_until.replace(tzinfo=None),
            "POLICY_HASH": row.policy.hash,
            "EVIDENCE_HASH": "",
            "RUN_ID": "r",
            "BATCH_ID": "b",
        }
        for number, row in enumerate(rows)
    ]
    tables.session.load("PHONE_VERDICTS", pa.Table.from_pylist(records))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example(rows=FILLED, required=("ccc", "dnc"), days=2)
@example(rows=[*FILLED, *TWINS], required=("ccc", "dnc"), days=2)
@example(rows=[*FILLED, *SINCE], required=("ccc", "dnc"), days=40_000)
@example(rows=[*FILLED, *LISTED], required=("ccc",), days=2)
@example(rows=[*FILLED, *LISTED], required=("dnc",), days=2)
@example(rows=[*FILLED, *FULL], required=("ccc", "dnc"), days=40_000)
@example(rows=[*FILLED, *FULL], required=SOURCES, days=40_000)
@given(
    rows=st.lists(ROWS, min_size=1, max_size=60).map(lambda rows: [*FILLED, *rows]),
    required=REQUIRED,
    days=st.sampled_from([2, 40_000]),
)
def test_sql_proves_what_decide_calls_callable_and_nothing_else(
    tables: Tables, rows: list[Row], required: tuple[str, ...], days: int
) -> None:
    policy = replace(POLICY, required_sources=required, ccc_ttl_days=days)
    rows = [row if row.policy is OTHER else replace(row, policy=policy) for row in rows]
    write(tables, rows)
    known = [row for row in rows if row.age >= 0]
    verdicts = names(decided(known, policy, NOW))
    for at in range(0, len(PHONES), 3):
        tables.judged(f"lead {at}", *verdicts[at : at + 3], at=NOW)
    assert publication.count_unproven(tables.session, CHUNK, policy) == 0
    wanted = decided(rows, policy, PUBLICATION)
    proven = {
        int(phone): until
        for phone, until in tables.session.rows(
            "SELECT phone, callable_until FROM PROVEN_PHONES WHERE callable_until > %(now)s",
            {"now": PUBLICATION},
        )
    }
    expected = {
        phone: first_end(rows, phone, policy)
        for phone, verdict in zip(PHONES, names(wanted), strict=True)
        if verdict == Decision.CALLABLE.name
    }
    assert {phone: end.replace(tzinfo=None) for phone, end in proven.items()} == {
        # a source that is not required may have run out: then CALLABLE_NOW would not show it
        phone: end
        for phone, end in expected.items()
        if end > PUBLICATION.replace(tzinfo=None)
    }


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example(rows=[*FILLED, *TWINS, *LISTED])
@given(rows=st.lists(ROWS, min_size=1, max_size=60))
def test_the_newest_words_of_a_history_are_those_that_sql_takes(
    tables: Tables, rows: list[Row]
) -> None:
    write(tables, rows)
    columns = "source, verdict, checked_at, valid_until"
    for phone in sorted({row.phone for row in rows})[:3]:
        found = tables.session.rows(
            f"SELECT {columns} FROM LATEST_VERDICTS WHERE phone = %(phone)s ORDER BY source",
            {"phone": phone},
        )
        words = read_history(tables.session, phone).newest(NOW + timedelta(days=1_000)).values()
        assert [
            (word.source, word.verdict, word.checked_at, word.valid_until) for word in words
        ] == [tuple(row) for row in found]
