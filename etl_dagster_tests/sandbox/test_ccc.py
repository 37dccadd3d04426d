"""The CCC sandbox speaks the documented protocol."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_dagster.sandbox import sidecar
from etl_dagster.sandbox.ccc_answers import litigators, read_phones, render
from etl_dagster.sandbox.ccc_service import CccSandbox, CccSandboxOptions
from etl_dagster.sandbox.ccc_start import SANDBOX_KEY, start_ccc
from etl_dagster_tests.stand_ins import in_thread, is_litigator

PATH = "/v1.5/Scrub/litigator"
KNOWN = "2675466417,5039367187,7075276405,5039367189"


@pytest.fixture
def service() -> CccSandbox:
    return CccSandbox(CccSandboxOptions(latency_ms=0, requests_per_minute=20))


@contextmanager
def served(service: CccSandbox) -> Iterator[httpx.Client]:
    headers = {"loginId": SANDBOX_KEY}
    with in_thread(service) as url, httpx.Client(base_url=url, headers=headers) as client:
        yield client


@pytest.fixture
def http(service: CccSandbox) -> Iterator[httpx.Client]:
    with served(service) as client:
        yield client


def post(http: httpx.Client, phones: str, **more: Any) -> httpx.Response:
    return http.post(PATH, json={"PhoneList": phones, **more})


def test_the_documented_request_gets_the_documented_answer(http: httpx.Client) -> None:
    response = post(http, KNOWN, CampaignId=1, ProjId="p", OutputFormat="JsonArray")
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("application/json")
    assert response.json() == [
        {"Phone": 2675466417, "IsLitigator": True},
        {"Phone": 5039367187, "IsLitigator": True},
        {"Phone": 7075276405, "IsLitigator": False},
        {"Phone": 5039367189, "IsLitigator": False},
    ]


def test_the_get_form(http: httpx.Client) -> None:
    assert http.get(PATH, params={"phoneList": KNOWN}).json()[0]["IsLitigator"] is True
    many = ",".join(str(2125550000 + n) for n in range(101))
    assert http.get(PATH, params={"phoneList": many}).status_code == 400
    assert http.get(PATH).status_code == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"PhoneList": "2125550100"}, 200),
        ({"PhoneList": "2125550100,"}, 400),
        ({"PhoneList": ""}, 400),
        ({"PhoneList": "2125550100,12345"}, 400),
        ({"PhoneList": "2125550100,abcdefghij"}, 400),
        ({"PhoneList": "2125550100,0125550100"}, 400),
        ({"PhoneList": "2125550100,212-555-01"}, 400),
        ({"PhoneList": "2125550100;2125550101"}, 400),
        ({"PhoneList": 2125550100}, 400),
        ({}, 400),
        ([], 400),
    ],
    ids=repr,
)
def test_a_batch_is_atomic(http: httpx.Client, body: object, status: int) -> None:
    assert http.post(PATH, json=body).status_code == status


def test_ten_thousand_phones_are_the_limit(http: httpx.Client) -> None:
    many = [str(2125550000 + n % 10_000 + n // 10_000 * 10**7) for n in range(10_001)]
    assert len(post(http, ",".join(many[:10_000])).json()) == 10_000
    assert post(http, ",".join(many)).status_code == 400


def test_the_key_is_checked(service: CccSandbox) -> None:
    with in_thread(service) as url:
        body = {"PhoneList": KNOWN}
        assert httpx.post(url + PATH, json=body).status_code == 401
        wrong = httpx.post(url + PATH, json=body, headers={"loginId": "x"})
        assert wrong.status_code == 401
    options = CccSandboxOptions(latency_ms=0, wrong_key="login")
    with in_thread(CccSandbox(options)) as url:
        login = httpx.post(url + PATH, json=body)
        assert login.status_code == 200
        assert "<title>Login</title>" in login.text


def test_what_is_not_there_is_404_or_405(http: httpx.Client) -> None:
    assert http.get("/").status_code == 404
    assert http.put(PATH, json={}).status_code == 405
    assert http.get("/sandbox/reset").status_code == 404


@pytest.mark.parametrize("form", [None, "seconds", "date"])
def test_beyond_the_requests_a_minute_429_is_answered(form: str | None) -> None:
    now = [1_000.0]
    options = CccSandboxOptions(latency_ms=0, requests_per_minute=3, retry_after=form)
    service = CccSandbox(options, clock=lambda: now[0])
    with served(service) as http:
        assert [post(http, KNOWN).status_code for _ in range(4)] == [200, 200, 200, 429]
        now[0] += 50
        refused = post(http, KNOWN)
        assert refused.status_code == 429
        assert ("Retry-After" in refused.headers) is (form is not None)
        if form == "seconds":
            assert 10 <= int(refused.headers["Retry-After"]) <= 11
        now[0] += 11
        assert post(http, KNOWN).status_code == 200
    assert service.stats()["rate_limited"] == 2
    assert service.stats()["most_in_a_minute"] == 3


def test_latency_varies_around_its_mean() -> None:
    service = CccSandbox(CccSandboxOptions(latency_ms=30, jitter=0.5))
    with served(service) as http:
        took = []
        for _ in range(10):
            started = time.perf_counter()
            post(http, KNOWN)
            took.append(time.perf_counter() - started)
    assert min(took) >= 0.015
    assert max(took) - min(took) > 0.003


def test_stats_count_what_was_answered_and_reset_forgets(http: httpx.Client) -> None:
    post(http, KNOWN)
    post(http, "2125550100,2675466417")
    post(http, "nonsense")
    stats = http.get("/sandbox/stats").json()
    assert stats["requests"] == 3
    assert stats["answered"] == 2
    assert stats["phones"] == 6
    assert stats["duplicates"] == 1
    assert stats["statuses"] == {"200": 2, "400": 1}
    assert stats["in_flight"] == 0
    assert stats["largest_in_flight"] == 1
    http.post("/sandbox/faults", json={"kind": "null"})
    http.post("/sandbox/reset")
    assert http.get("/sandbox/stats").json()["requests"] == 0
    assert http.get("/sandbox/faults").json() == []


def test_about_two_in_a_hundred_are_litigators() -> None:
    phones = 2125550000 + np.arange(100_000, dtype=np.int64)
    assert litigators(phones).mean() == pytest.approx(0.02, abs=0.002)
    assert is_litigator(2675466417)
    assert not is_litigator(7075276405)


@given(st.lists(st.integers(2_002_002_000, 9_989_999_999), min_size=1, max_size=30))
def test_answers_are_json_about_what_was_read(numbers: list[int]) -> None:
    phones = read_phones(",".join(map(str, numbers)))
    if phones is None:
        return
    assert phones.numbers.tolist() == numbers
    assert json.loads(render(phones)) == [
        {"Phone": number, "IsLitigator": is_litigator(number)} for number in numbers
    ]


@given(st.text(alphabet="0123456789,. x", max_size=40))
def test_a_phone_list_is_read_strictly(text: str) -> None:
    phones = read_phones(text)
    if phones is not None:
        assert ",".join(map(str, phones.numbers.tolist())) == text


def test_a_page_in_the_browser_gets_no_answer(http: httpx.Client) -> None:
    for header in ({"Host": "page.example"}, {"Origin": "https://page.example"}):
        with pytest.raises(httpx.RemoteProtocolError):
            http.get("/sandbox/stats", headers=header)


def test_garbage_on_the_wire_ends_the_connection(service: CccSandbox) -> None:
    with in_thread(service) as url:
        address = ("127.0.0.1", int(url.rsplit(":", 1)[1]))
        with socket.create_connection(address, timeout=5) as connection:
            connection.sendall(b"\x00\x01 nonsense\r\n\r\n")
            assert connection.recv(100) == b""


def test_it_runs_as_a_sidecar_and_stops_when_idle(tmp_path: Path) -> None:
    one = start_ccc(tmp_path, idle_seconds=1.0, latency_ms=0)
    assert start_ccc(tmp_path, idle_seconds=1.0).pid == one.pid
    headers = {"loginId": SANDBOX_KEY}
    answer = httpx.post(one.url + PATH, json={"PhoneList": KNOWN}, headers=headers)
    assert answer.status_code == 200
    deadline = time.monotonic() + 10
    while sidecar.find("ccc", tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert sidecar.find("ccc", tmp_path) is None
    two = start_ccc(tmp_path, latency_ms=0)
    assert two.pid != one.pid
    assert sidecar.stop("ccc", tmp_path)


def test_a_second_process_finds_the_folder_taken(tmp_path: Path) -> None:
    start_ccc(tmp_path, latency_ms=0)
    command = [sys.executable, "-m", "etl_dagster.sandbox.ccc", "--home", str(tmp_path)]
    root = Path(__file__).parents[2]
    assert subprocess.run(command, cwd=root, check=False).returncode == sidecar.ALREADY_RUNNING
    assert sidecar.stop("ccc", tmp_path)
