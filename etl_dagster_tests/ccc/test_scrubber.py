"""Chunks: every phone once, checkpoints, bisecting, canaries, deadlines, open circuits."""

import hashlib
import json
import time
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from numpy.typing import NDArray

from etl_dagster.ccc import (
    CccCanaryError,
    CccConfig,
    CccScrubber,
    Checkpoint,
    ScrubProgress,
    requests_for,
)
from etl_dagster.ccc.errors import CccAuthError, CccUnavailableError
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.sandbox.ccc_answers import litigators
from etl_dagster_tests.ccc.conftest import Sandbox, phones
from etl_dagster_tests.together import at_once

Settings = Callable[..., CccConfig]


def table(checkpoints: Iterable[Checkpoint]) -> dict[int, tuple[Verdict, str]]:
    """Flatten, and insist that no phone is decided twice."""
    decided: dict[int, tuple[Verdict, str]] = {}
    for checkpoint in checkpoints:
        assert checkpoint
        for batch in checkpoint:
            assert len(batch.phones) == len(batch.verdicts) == len(batch.reasons)
            assert batch.checked_at.utcoffset() is not None
            for phone, code, reason in zip(
                batch.phones.tolist(), batch.verdicts.tolist(), batch.reasons, strict=True
            ):
                assert phone not in decided
                decided[phone] = (Verdict(code), reason)
    return decided


def truth(asked: NDArray[np.int64]) -> dict[int, tuple[Verdict, str]]:
    return {
        phone: (Verdict.LISTED, "litigator") if listed else (Verdict.CLEAR, "")
        for phone, listed in zip(asked.tolist(), litigators(asked).tolist(), strict=True)
    }


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 95])
def test_the_requests_of_a_scrub_are_known_beforehand(
    settings: Settings, sandbox: Sandbox, count: int
) -> None:
    with CccScrubber(settings(batch_size=10)) as scrubber:
        list(scrubber.scrub(phones(count)))
    assert sandbox.requests == requests_for(count, batch_size=10)


def test_every_phone_gets_the_vendors_verdict(settings: Settings, sandbox: Sandbox) -> None:
    asked = phones(2_345)
    with CccScrubber(settings(batch_size=100)) as scrubber:
        checkpoints = list(scrubber.scrub(np.concatenate([asked, asked[:50]])))
        summary = scrubber.summary
    assert table(checkpoints) == truth(asked)
    assert sum(batch.phones.size for c in checkpoints for batch in c) == 2_345
    assert all(len(c) <= 3 + 4 for c in checkpoints)
    assert {batch.endpoint for c in checkpoints for batch in c} == {
        f"{sandbox.url}/v1.5/Scrub/litigator"
    }
    assert len({batch.batch_id for c in checkpoints for batch in c}) == 24
    assert summary.requests == sandbox.requests == 25  # the canary too
    assert summary.verdicts["LISTED"] == litigators(asked).sum()
    assert sum(summary.verdicts.values()) == 2_345
    assert 0 < summary.latency_ms_p50 <= summary.latency_ms_p95 <= summary.latency_ms_p99
    assert summary.phones_per_second > 0
    assert not summary.degraded


def test_nothing_is_asked_about_nothing(settings: Settings, sandbox: Sandbox) -> None:
    with CccScrubber(settings()) as scrubber:
        assert list(scrubber.scrub(np.empty(0, dtype=np.int64))) == []
    assert sandbox.requests == 0


def test_an_invalid_phone_is_unknown_and_never_sent(settings: Settings, sandbox: Sandbox) -> None:
    bad = np.array([0, -5, 911, 1235550100, 2111234567, 99999999999], dtype=np.int64)
    with CccScrubber(settings(batch_size=10)) as scrubber:
        decided = table(scrubber.scrub(np.concatenate([phones(25), bad])))
    assert all(decided[phone] == (Verdict.UNKNOWN, "invalid") for phone in bad.tolist())
    assert all(decided[phone] == verdict for phone, verdict in truth(phones(25)).items())
    assert sandbox.service.asked.isdisjoint(bad.tolist())


def test_a_transient_failure_is_retried(settings: Settings, sandbox: Sandbox) -> None:
    sandbox.fault("status", status=503, batches=[2, 4])
    sandbox.fault("reset", batches=[3])
    with CccScrubber(settings(batch_size=10)) as scrubber:
        assert table(scrubber.scrub(phones(50))) == truth(phones(50))
        assert scrubber.summary.retries == 3
    assert sandbox.service.repeated == set()


def test_what_stays_broken_is_unknown_with_its_reason(settings: Settings, sandbox: Sandbox) -> None:
    sandbox.fault("status", status=502, after=0, batches=range(2, 100))
    with CccScrubber(settings(batch_size=10, max_retries=2)) as scrubber:
        decided = table(scrubber.scrub(phones(30)))
    assert set(decided.values()) == {(Verdict.UNKNOWN, "http_502")}
    assert sandbox.requests == 1 + 3 * 3


def test_a_malformed_answer_is_evidence_with_its_hash(settings: Settings, sandbox: Sandbox) -> None:
    sandbox.fault("null", batches=range(2, 9))
    with CccScrubber(settings(max_retries=0)) as scrubber:
        batch = next(iter(scrubber.scrub(phones(5))))[0]
    assert batch.reasons == ["malformed_response"] * 5
    assert batch.evidence_hash == hashlib.sha256(batch.document).hexdigest()
    assert json.loads(batch.document)[-1]["IsLitigator"] is None


def test_bisecting_isolates_the_phones_that_are_not_liked(
    settings: Settings, sandbox: Sandbox
) -> None:
    asked = phones(256)
    disliked = asked[[0, 100, 255]].tolist()
    sandbox.fault("reject", phones=disliked)
    with CccScrubber(settings(batch_size=128)) as scrubber:
        decided = table(scrubber.scrub(asked))
        assert scrubber.summary.bisects > 0
    wanted = truth(asked) | dict.fromkeys(disliked, (Verdict.UNKNOWN, "rejected_400"))
    assert decided == wanted
    assert sandbox.service.repeated == set()
    # Halving once per level and bad phone: about 2 * log2(128) requests for each.
    assert sandbox.requests <= 1 + 2 + 3 * 2 * 7


def test_a_disliked_phone_in_every_batch_opens_nothing(
    settings: Settings, sandbox: Sandbox
) -> None:
    asked = phones(1_000)
    disliked = asked[7::50].tolist()
    sandbox.fault("reject", phones=disliked)
    patient = {"read_timeout": 10.0, "answer_timeout": 20.0}
    config = settings(batch_size=50, max_workers=16, breaker_failures=5, **patient)
    with CccScrubber(config) as scrubber:
        decided = table(scrubber.scrub(asked))
        assert scrubber.summary.breaker_openings == 0
    assert decided == truth(asked) | dict.fromkeys(disliked, (Verdict.UNKNOWN, "rejected_400"))


def test_a_service_that_refuses_everything_opens_the_circuit(
    settings: Settings, sandbox: Sandbox
) -> None:
    sandbox.fault("status", status=400, batches=range(2, 100_000))
    config = settings(batch_size=100, breaker_failures=5, breaker_reset_seconds=60)
    with CccScrubber(config) as scrubber:
        decided = table(scrubber.scrub(phones(20_000)))
        assert scrubber.summary.breaker_state == "open"
    reasons = {reason for _, reason in decided.values()}
    assert reasons == {"batch_rejected", "breaker_open"}
    assert sandbox.requests < (5 + 4) * 64


def test_phones_that_ccc_says_nothing_of_leave_the_others_of_their_batch_answered(
    settings: Settings, sandbox: Sandbox
) -> None:
    asked = phones(60)
    passed_over = asked[[4, 31]].tolist()
    sandbox.fault("omit", phones=passed_over)
    with CccScrubber(settings(batch_size=30, breaker_failures=1)) as scrubber:
        decided = table(scrubber.scrub(asked))
        assert scrubber.summary.breaker_openings == 0
    wanted = dict.fromkeys(passed_over, (Verdict.UNKNOWN, "malformed_response"))
    assert decided == truth(asked) | wanted
    assert sandbox.requests <= 1 + 2 * (1 + 2 * 5)


def test_answers_that_all_leave_phones_out_open_the_circuit_and_clear_nobody(
    settings: Settings, sandbox: Sandbox
) -> None:
    sandbox.fault("omit", batches=range(2, 100_000))
    config = settings(batch_size=100, breaker_failures=5, breaker_reset_seconds=60, max_workers=2)
    with CccScrubber(config) as scrubber:
        decided = table(scrubber.scrub(phones(1_000)))
        assert scrubber.summary.breaker_state == "open"
    assert {verdict for verdict, _ in decided.values()} == {Verdict.UNKNOWN}


def test_phones_that_are_not_integers_are_refused(settings: Settings) -> None:
    with CccScrubber(settings()) as scrubber, pytest.raises(TypeError, match="float64"):
        next(scrubber.scrub(np.array([2125550100.0])))  # type: ignore[arg-type]


def test_bisecting_gives_up_when_everything_is_refused(
    settings: Settings, sandbox: Sandbox
) -> None:
    sandbox.fault("status", status=400, batches=range(2, 10_000))
    with CccScrubber(settings(batch_size=500, bisect_requests=20, max_workers=2)) as scrubber:
        decided = table(scrubber.scrub(phones(1_000)))
    assert set(decided.values()) == {(Verdict.UNKNOWN, "batch_rejected")}
    assert sandbox.requests <= 1 + 2 * (1 + 20)


def test_who_was_not_told_apart_from_phones_that_are_not_liked_is_asked_about_again(
    settings: Settings, sandbox: Sandbox
) -> None:
    asked = phones(64)
    disliked = asked[5::16].tolist()
    sandbox.fault("reject", phones=disliked)
    config, decided, rounds = settings(batch_size=64, bisect_requests=16), {}, 0
    while asked.size:
        with CccScrubber(config) as scrubber:
            decided |= table(scrubber.scrub(asked))
        left = [phone for phone, said in decided.items() if said[1] == "batch_rejected"]
        asked, rounds = np.array(left, dtype=np.int64), rounds + 1
    assert rounds > 1
    wanted = dict.fromkeys(disliked, (Verdict.UNKNOWN, "rejected_400"))
    assert decided == truth(phones(64)) | wanted


def test_a_refused_key_ends_the_scrub_after_what_was_decided(
    settings: Settings, sandbox: Sandbox
) -> None:
    for kind in ("expired_key", "login"):
        sandbox.reset()
        sandbox.fault(kind, batches=range(6, 10_000))
        taken: list[Checkpoint] = []
        with CccScrubber(settings(batch_size=10, max_workers=2)) as scrubber:
            with pytest.raises(CccAuthError, match="CCC_API_KEY"):
                taken.extend(scrubber.scrub(phones(1_000)))  # keeps what came before the error
            decided = table(taken)
        assert len(decided) == 40
        assert all(truth(phones(1_000))[phone] == verdict for phone, verdict in decided.items())
        assert sandbox.requests <= 1 + 4 + 2


def test_a_wrong_canary_answer_stops_everything(settings: Settings, sandbox: Sandbox) -> None:
    sandbox.fault("wrong_canary")
    with CccScrubber(settings()) as scrubber:
        with pytest.raises(CccCanaryError):
            scrubber.canary()
        with pytest.raises(CccCanaryError):
            list(scrubber.scrub(phones(10)))
    assert sandbox.service.asked <= {2675466417, 7075276405}


def test_a_canary_that_cannot_be_asked_makes_all_unknown(
    settings: Settings, sandbox: Sandbox
) -> None:
    sandbox.fault("status", status=503)
    with CccScrubber(settings(max_retries=1, batch_size=10)) as scrubber:
        with pytest.raises(CccUnavailableError) as caught:
            scrubber.canary()
        assert caught.value.reason == "http_503"
        assert set(table(scrubber.scrub(phones(30))).values()) == {(Verdict.UNKNOWN, "http_503")}
        assert scrubber.summary.degraded


def test_a_canary_serves_one_scrub(settings: Settings, sandbox: Sandbox) -> None:
    with CccScrubber(settings(batch_size=10)) as scrubber:
        scrubber.canary()
        list(scrubber.scrub(phones(10)))
        assert sandbox.requests == 2
        list(scrubber.scrub(phones(10)))
        assert sandbox.requests == 4


def test_an_open_circuit_makes_the_rest_unknown_at_once(
    settings: Settings, sandbox: Sandbox
) -> None:
    sandbox.fault("status", status=503, batches=range(12, 10_000))
    config = settings(batch_size=10, breaker_failures=5, breaker_reset_seconds=60, max_workers=2)
    changes: list[tuple[str, str]] = []
    started = time.monotonic()
    with CccScrubber(config, on_breaker=lambda *change: changes.append(change)) as scrubber:
        decided = table(scrubber.scrub(phones(20_000)))
        summary = scrubber.summary
        with pytest.raises(CccUnavailableError):
            scrubber.canary()
    assert time.monotonic() - started < 5
    assert len(decided) == 20_000
    reasons = {reason for verdict, reason in decided.values() if verdict is Verdict.UNKNOWN}
    assert "breaker_open" in reasons <= {"breaker_open", "http_503"}
    assert sum(verdict is not Verdict.UNKNOWN for verdict, _ in decided.values()) == 100
    assert summary.degraded
    assert summary.breaker_openings == 1
    assert summary.breaker_state == "open"
    assert changes == [("closed", "open")]
    assert sandbox.requests <= 11 + 5 + 2


def test_processes_of_a_host_share_the_circuit(settings: Settings, sandbox: Sandbox) -> None:
    sandbox.fault("status", status=500)
    config = settings(breaker_failures=2, breaker_reset_seconds=60)
    with CccScrubber(config) as first, CccScrubber(config) as second:
        list(first.scrub(phones(10)))
        asked = sandbox.requests
        decided = table(second.scrub(phones(10)))
    assert set(decided.values()) == {(Verdict.UNKNOWN, "breaker_open")}
    assert sandbox.requests == asked == 2


def test_a_recovered_service_is_used_again(settings: Settings, sandbox: Sandbox) -> None:
    sandbox.fault("status", status=500, batches=range(2, 100))
    config = settings(breaker_failures=3, breaker_reset_seconds=0.2, batch_size=10)
    with CccScrubber(config) as scrubber:
        first = table(scrubber.scrub(phones(100)))
        assert scrubber.summary.breaker_state == "open"
        sandbox.service.faults.clear()
        time.sleep(0.25)
        missing = [phone for phone, (verdict, _) in first.items() if verdict is Verdict.UNKNOWN]
        assert missing
        second = table(scrubber.scrub(np.array(missing, dtype=np.int64)))
        assert scrubber.summary.breaker_state == "closed"
    assert first | second == truth(phones(100))
    assert sandbox.service.repeated <= {2675466417, 7075276405}


def test_a_moments_429_slows_down_and_opens_nothing(settings: Settings, sandbox: Sandbox) -> None:
    sandbox.fault("status", status=429, retry_after="0", batches=range(10, 26))
    config = settings(batch_size=10, breaker_failures=5, max_workers=16)
    with CccScrubber(config) as scrubber:
        assert table(scrubber.scrub(phones(1_000))) == truth(phones(1_000))
        summary = scrubber.summary
    assert summary.rate_limited == 16
    assert summary.breaker_openings == 0


def test_a_lasting_429_opens_the_circuit(settings: Settings, sandbox: Sandbox) -> None:
    sandbox.fault("status", status=429, batches=range(10, 10_000))
    config = settings(batch_size=10, breaker_failures=5, breaker_reset_seconds=60, max_workers=16)
    with CccScrubber(config) as scrubber:
        decided = table(scrubber.scrub(phones(10_000)))
        assert scrubber.summary.breaker_openings == 1
    assert len(decided) == 10_000
    assert sandbox.requests < 200


def test_retry_after_is_honoured(settings: Settings, sandbox: Sandbox) -> None:
    sandbox.fault("status", status=429, retry_after="1", batches=[2])
    started = time.monotonic()
    with CccScrubber(settings(batch_size=10)) as scrubber:
        assert table(scrubber.scrub(phones(10))) == truth(phones(10))
    assert 1.0 <= time.monotonic() - started < 2.0


def test_no_request_begins_after_the_deadline(settings: Settings, sandbox: Sandbox) -> None:
    sandbox.fault("slow", seconds=0.15)
    config = settings(batch_size=10, chunk_deadline=0.8, max_workers=2)
    with CccScrubber(config) as scrubber:
        decided = table(scrubber.scrub(phones(1_000)))
        assert scrubber.summary.degraded
    late = [verdict for verdict in decided.values() if verdict[0] is Verdict.UNKNOWN]
    assert set(late) == {(Verdict.UNKNOWN, "deadline")}
    assert 0 < len(decided) - len(late) <= 120


def test_the_host_never_exceeds_its_requests_a_minute(settings: Settings, sandbox: Sandbox) -> None:
    config = settings(batch_size=10, requests_per_minute=7, chunk_deadline=1.0)
    with CccScrubber(config) as one, CccScrubber(config) as two:
        at_once(lambda scrubber: table(scrubber.scrub(phones(500))), (one, two))
    assert sandbox.requests == 7


def test_progress_is_reported_while_scrubbing(settings: Settings, sandbox: Sandbox) -> None:
    sandbox.fault("slow", seconds=0.05)
    seen: list[ScrubProgress] = []
    config = settings(batch_size=10, progress_seconds=0.05, max_workers=2)
    with CccScrubber(config, progress=seen.append) as scrubber:
        list(scrubber.scrub(phones(200)))
    done = [report.done for report in seen]
    assert len(done) >= 3
    assert done == sorted(done)
    assert {report.total for report in seen} == {200}
    assert seen[-1].summary.requests > 1


def test_requests_go_on_while_a_checkpoint_is_written(settings: Settings, sandbox: Sandbox) -> None:
    with CccScrubber(settings(batch_size=10, checkpoint_seconds=60.0)) as scrubber:
        stream = scrubber.scrub(phones(150))
        next(stream)
        deadline = time.monotonic() + 2
        ahead = 1 + 3 + (4 + 3)  # canary, what was taken, the next checkpoint and its workers
        while sandbox.requests < ahead and time.monotonic() < deadline:
            time.sleep(0.01)
        assert sandbox.requests == ahead
        list(stream)


def test_work_ahead_of_the_consumer_is_bounded(settings: Settings, sandbox: Sandbox) -> None:
    config = settings(batch_size=1, max_workers=4, checkpoint_batches=3)
    with CccScrubber(config) as scrubber:
        stream = scrubber.scrub(phones(500))
        first = next(stream)
        time.sleep(0.3)
        assert sandbox.requests <= 1 + len(first) + (4 + 3)
        list(stream)
