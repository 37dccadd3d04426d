"""Which words count in a decision that is made again for the evidence."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from etl_dagster.evidence import verify
from etl_dagster.evidence.decisions import Rules, decide_phone
from etl_dagster.evidence.forms import iso
from etl_dagster.leads.policy import Policy
from etl_dagster.warehouse.phone_history import VerdictRow

AT = datetime(2026, 11, 20, 6, tzinfo=UTC)
POLICY = Policy(required_sources=("ccc", "ccc_full", "dnc"), ccc_ttl_days=7.0, dnc_max_age_days=31)
CLEAR = VerdictRow(
    lead_date=AT.date(), chunk=0, phone=4075550100, source="ccc", verdict="CLEAR", reason="",
    list_versions="", checked_at=AT, valid_until=AT + timedelta(days=5), policy_hash=POLICY.hash,
    evidence_hash="", run_id="r", batch_id="b",
)  # fmt: skip


@pytest.mark.parametrize(
    ("judged_under", "decision"), [(POLICY.hash, "CALLABLE"), ("0" * 64, "UNKNOWN")]
)
@pytest.mark.parametrize("judged", ["ccc_full", "dnc"])
def test_a_clear_of_what_a_policy_judges_counts_under_that_policy_only(
    judged: str, judged_under: str, decision: str
) -> None:
    words = {source: replace(CLEAR, source=source) for source in POLICY.required_sources}
    words[judged] = replace(words[judged], policy_hash=judged_under)
    now = AT + timedelta(hours=1)
    made = decide_phone(words, Rules.of(POLICY.meaning), now, POLICY.hash)
    assert made.decision == decision
    rows = {
        source: {**vars(row), "valid_until": iso(AT + timedelta(days=5)), "checked_at": iso(AT)}
        for source, row in words.items()
    }
    told = verify.decide(
        verify.json.loads(POLICY.meaning),
        verify.counted(rows, POLICY.hash),
        verify.micros(iso(now)),
    )
    assert told[0] == decision


@pytest.mark.parametrize("words", [{}, {"ccc_full": replace(CLEAR, policy_hash="0" * 64)}])
def test_of_a_phone_of_which_no_word_counts_every_source_is_missing(
    words: dict[str, VerdictRow],
) -> None:
    made = decide_phone(words, Rules.of(POLICY.meaning), AT, POLICY.hash)
    assert made == ("UNKNOWN", None, dict.fromkeys(POLICY.required_sources, "missing"))
