"""Failures seen in the field, each by its name; those that concern CCC must be impossible here."""

import ast
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import etl_dagster.ccc
import etl_dagster.resilience
from etl_dagster.ccc import CccConfig, CccScrubber
from etl_dagster.ccc.errors import CccConfigError
from etl_dagster.leads.verdicts import Verdict
from etl_dagster_tests.ccc.conftest import Sandbox, phones
from etl_dagster_tests.ccc.test_scrubber import table, truth

Settings = Callable[..., CccConfig]
UNKNOWN = Verdict.UNKNOWN


def verdicts(config: CccConfig, count: int = 10) -> set[tuple[Verdict, str]]:
    with CccScrubber(config) as scrubber:
        return set(table(scrubber.scrub(phones(count))).values())


def test_01_an_open_breaker_is_not_a_clean_answer(settings: Settings, sandbox: Sandbox) -> None:
    sandbox.fault("status", status=500)
    config = settings(breaker_failures=1, breaker_reset_seconds=60, max_retries=0)
    assert verdicts(config) == {(UNKNOWN, "http_500")}
    assert verdicts(config) == {(UNKNOWN, "breaker_open")}


def test_01_a_failed_request_is_not_a_clean_answer(settings: Settings, sandbox: Sandbox) -> None:
    sandbox.fault("reset")
    assert verdicts(settings(max_retries=0)) == {(UNKNOWN, "connection_failed")}


def test_01_a_phone_missing_from_the_answer_is_not_clean(
    settings: Settings, sandbox: Sandbox
) -> None:
    sandbox.fault("omit", batches=range(2, 99))
    assert verdicts(settings(max_retries=0)) == {(UNKNOWN, "malformed_response")}


@pytest.mark.parametrize("kind", ["missing_key", "null", "string_bool"])
def test_02_an_answer_without_the_key_is_a_failure_and_is_asked_again(
    settings: Settings, sandbox: Sandbox, kind: str
) -> None:
    sandbox.fault(kind, batches=[2])
    config = settings(max_retries=0)
    assert verdicts(config) == {(UNKNOWN, "malformed_response")}
    with CccScrubber(config) as scrubber:  # nothing was kept of it
        assert table(scrubber.scrub(phones(10))) == truth(phones(10))


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_03_status_errors_open_the_breaker(
    settings: Settings, sandbox: Sandbox, status: int
) -> None:
    sandbox.fault("status", status=status)
    with CccScrubber(settings(breaker_failures=3, breaker_reset_seconds=60)) as scrubber:
        list(scrubber.scrub(phones(10)))
        assert scrubber.summary.breaker_state == "open"
    assert sandbox.requests == 3


def test_04_a_connection_reset_is_retried(settings: Settings, sandbox: Sandbox) -> None:
    sandbox.fault("reset", batches=[2, 3])
    with CccScrubber(settings()) as scrubber:
        assert table(scrubber.scrub(phones(10))) == truth(phones(10))
    assert sandbox.requests == 4


@pytest.mark.parametrize("status", [404, 405, 422])
def test_04_a_client_error_is_not_retried(
    settings: Settings, sandbox: Sandbox, status: int
) -> None:
    sandbox.fault("status", status=status, batches=range(2, 99))
    assert verdicts(settings()) == {(UNKNOWN, f"http_{status}")}
    assert sandbox.requests == 2


# 04, Retry-After: test_scrubber.test_retry_after_is_honoured, in both forms test_client.


def test_05_an_invalid_phone_is_not_sent_and_sinks_no_batch(
    settings: Settings, sandbox: Sandbox
) -> None:
    bad = np.array([5550100, 1115550100], dtype=np.int64)
    with CccScrubber(settings()) as scrubber:
        decided = table(scrubber.scrub(np.concatenate([bad, phones(10)])))
    assert decided == truth(phones(10)) | dict.fromkeys(bad.tolist(), (UNKNOWN, "invalid"))
    assert sandbox.service.stats()["statuses"] == {200: 2}


def test_05_a_batch_that_gets_400_is_bisected_and_never_cleared(
    settings: Settings, sandbox: Sandbox
) -> None:
    disliked = int(phones(10)[3])
    sandbox.fault("reject", phones=[disliked])
    with CccScrubber(settings()) as scrubber:
        decided = table(scrubber.scrub(phones(10)))
    assert decided == truth(phones(10)) | {disliked: (UNKNOWN, "rejected_400")}


def test_08_a_phone_of_several_leads_is_one_verdict(settings: Settings, sandbox: Sandbox) -> None:
    shared = np.repeat(phones(4), 3)
    with CccScrubber(settings()) as scrubber:
        assert table(scrubber.scrub(shared)) == truth(phones(4))
    assert sandbox.service.stats()["duplicates"] == 0


def test_11_nothing_is_yielded_before_it_is_decided_nor_asked_after_it_is_refused(
    settings: Settings, sandbox: Sandbox
) -> None:
    with CccScrubber(settings(batch_size=5)) as scrubber:
        for checkpoint in scrubber.scrub(phones(100)):
            held = {p for b in checkpoint for p in b.phones.tolist()}
            assert held <= sandbox.service.asked


def test_14_the_key_is_only_in_the_header(settings: Settings, sandbox: Sandbox) -> None:
    for url in (f"{sandbox.url}/x?loginId=k", "http://user:secret@127.0.0.1/", f"{sandbox.url}/#k"):
        with pytest.raises(CccConfigError) as caught:
            settings(url=url)
        assert "secret" not in str(caught.value)
    config = settings()
    assert config.api_key not in repr(config)
    assert "?" not in config.endpoint


def test_15_matching_answers_to_requests_is_not_quadratic() -> None:
    from time import process_time  # noqa: PLC0415 - only here

    from etl_dagster.ccc.answer import reconcile  # noqa: PLC0415
    from etl_dagster.sandbox.ccc_answers import read_phones, render  # noqa: PLC0415

    def cost(count: int) -> float:
        asked = phones(count)
        listed = read_phones(",".join(map(str, asked.tolist())))
        assert listed is not None
        document = render(listed)
        took = []
        for _ in range(5):
            started = process_time()
            assert reconcile(document, asked)[0] == ""
            took.append(process_time() - started)
        return min(took)

    assert cost(10_000) < 40 * cost(1_000)  # ten times the phones, far from a hundred


NEED_REDIS = {
    "leases.py": "etl_dagster.resilience.leases",
    "journal.py": "etl_dagster.ccc.journal",
}


@pytest.mark.parametrize("package", [etl_dagster.ccc, etl_dagster.resilience])
def test_the_package_knows_no_dagster_no_warehouse_and_no_dnc(package: object) -> None:
    folder = Path(str(package.__file__)).parent  # type: ignore[attr-defined]
    banned = ("dagster", "etl_dagster.dnc", "etl_dagster.warehouse", "etl_dagster.sandbox")
    if package is etl_dagster.resilience:
        banned += ("etl_dagster.ccc", "etl_dagster.leads", "httpx")
    for file in folder.glob("*.py"):
        # what needs Redis, which is optional, is imported by nothing that does not
        knows = file.name in NEED_REDIS or file.name == "redis_client.py"
        alone = () if knows else ("redis", *NEED_REDIS.values())
        for node in ast.walk(ast.parse(file.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                refused = any(name == b or name.startswith(f"{b}.") for b in (*banned, *alone))
                assert not refused, (file, name)
