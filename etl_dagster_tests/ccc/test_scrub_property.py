"""Whatever goes wrong, alone or combined: never CLEAR without an intact answer."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from etl_dagster.ccc import CccConfig, CccScrubber
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.sandbox.ccc_faults import Fault
from etl_dagster.sandbox.ccc_start import SANDBOX_KEY
from etl_dagster_tests.ccc.conftest import QUICK, Sandbox, phones
from etl_dagster_tests.stand_ins import is_litigator

ENDS_THE_RUN = ("login", "expired_key")
SLOW = {"hang": 0.3, "drip": 0.02, "drip_headers": 0.02, "refuse": 0.05, "slow": 0.05}

when = st.one_of(
    st.fixed_dictionaries({"batches": st.lists(st.integers(1, 30), min_size=1, max_size=8)}),
    st.fixed_dictionaries(
        {"rate": st.sampled_from([0.1, 0.3, 0.7]), "seed": st.integers(0, 5)},
    ),
    st.fixed_dictionaries({"after": st.just(0.02), "until": st.just(0.2)}),
)
content = st.sampled_from(
    [
        "truncated", "content_type", "missing_key", "null", "string_bool", "omit", "extra",
        "duplicate", "double_key", "swap", "text_phone", "float_phone", "not_a_list", "bomb",
        "redirect", "reset", "reset_in_body", "wrong_canary", *SLOW, *ENDS_THE_RUN,
    ]
)  # fmt: skip
what = st.one_of(
    st.builds(lambda kind: {"kind": kind, "seconds": SLOW.get(kind, 0.0)}, content),
    st.fixed_dictionaries(
        {
            "kind": st.just("status"),
            "status": st.sampled_from([400, 404, 408, 429, 500, 501, 502, 503]),
            "retry_after": st.sampled_from([None, "0", "date:0"]),
        }
    ),
    st.builds(
        lambda which: {"kind": "reject", "phones": phones(60)[which].tolist()},
        st.lists(st.integers(0, 59), min_size=1, max_size=3, unique=True),
    ),
)
fault = st.builds(lambda a, b: Fault(**{**a, **b, "times": 20}), what, when)


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    faults=st.lists(fault, max_size=4),
    count=st.integers(0, 60),
    batch_size=st.integers(1, 25),
    workers=st.integers(1, 6),
    limit=st.sampled_from([6, 100_000]),
    breaker=st.sampled_from([2, 1_000]),
)
def test_never_clear_without_an_intact_answer(  # noqa: PLR0917 - one axis each
    sandbox: Sandbox,
    faults: list[Fault],
    count: int,
    batch_size: int,
    workers: int,
    limit: int,
    breaker: int,
) -> None:
    sandbox.reset()
    sandbox.service.faults.add(*faults)
    asked = phones(count)
    ended: Exception | None = None
    batches = []
    with tempfile.TemporaryDirectory() as folder:
        changes: dict[str, Any] = {
            "batch_size": batch_size,
            "min_workers": 1,
            "max_workers": workers,
            "max_retries": 2,
            "requests_per_minute": limit,
            "breaker_failures": breaker,
            "chunk_deadline": 3.0,
            "read_timeout": 0.1,
            "answer_timeout": 0.15,
        }
        config = CccConfig(
            url=sandbox.url, api_key=SANDBOX_KEY, state_dir=Path(folder), **{**QUICK, **changes}
        )
        with CccScrubber(config) as scrubber:
            try:
                for checkpoint in scrubber.scrub(asked):
                    batches += checkpoint
            except Exception as error:  # noqa: BLE001 - judged below
                ended = error
            summary = scrubber.summary

    allowed = dict.fromkeys(ENDS_THE_RUN, "CccAuthError") | {"wrong_canary": "CccCanaryError"}
    if ended is not None:
        assert type(ended).__name__ in {allowed.get(f.kind) for f in faults}, ended
    decided = np.concatenate([b.phones for b in batches]) if batches else np.empty(0, np.int64)
    assert len(set(decided.tolist())) == decided.size
    if ended is None:
        assert sorted(decided.tolist()) == asked.tolist()
    for batch in batches:
        for phone, code, reason in zip(
            batch.phones.tolist(), batch.verdicts.tolist(), batch.reasons, strict=True
        ):
            if code == Verdict.UNKNOWN:
                assert reason not in ("", "litigator")
            else:
                assert (code == Verdict.LISTED) is is_litigator(phone)
                assert phone in sandbox.service.asked
                assert len(batch.evidence_hash) == 64
    stats = sandbox.service.stats()
    assert stats["requests"] <= summary.requests <= limit
    assert stats["largest_in_flight"] <= workers + sum(f.kind in SLOW for f in faults) * 20
    event(f"ended: {type(ended).__name__}")
    event(f"unknown: {summary.verdicts['UNKNOWN'] > 0}")
