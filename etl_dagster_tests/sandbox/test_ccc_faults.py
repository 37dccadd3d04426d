"""Scripting faults: by batch number, rate and time; what each does on the wire."""

import json
import time
import zlib
from collections.abc import Iterator
from typing import Any, get_args

import httpx
import numpy as np
import pytest

from etl_dagster.sandbox.ccc_faults import BOMB_MEGABYTES, Fault, FaultScript, Kind
from etl_dagster.sandbox.ccc_service import CccSandbox, CccSandboxOptions
from etl_dagster_tests.sandbox.test_ccc import PATH, served

PHONES = "2125550100,2675466417,7075276405"
TRUTH = [
    {"Phone": 2125550100, "IsLitigator": False},
    {"Phone": 2675466417, "IsLitigator": True},
    {"Phone": 7075276405, "IsLitigator": False},
]


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    service = CccSandbox(CccSandboxOptions(latency_ms=0))
    with served(service) as client:
        yield client


def script(http: httpx.Client, **fault: Any) -> None:
    http.post("/sandbox/faults", json=fault).raise_for_status()


def ask(http: httpx.Client) -> httpx.Response:
    return http.post(PATH, json={"PhoneList": PHONES})


CONTENT = {
    "missing_key": [*TRUTH[:2], {"Phone": 7075276405}],
    "null": [*TRUTH[:2], {"Phone": 7075276405, "IsLitigator": None}],
    "string_bool": [*TRUTH[:2], {"Phone": 7075276405, "IsLitigator": "false"}],
    "omit": TRUTH[:2],
    "extra": [*TRUTH, {"Phone": 2125550199, "IsLitigator": False}],
    "duplicate": [*TRUTH, {"Phone": 7075276405, "IsLitigator": True}],
    "swap": TRUTH[::-1],
    "text_phone": [{**entry, "Phone": str(entry["Phone"])} for entry in TRUTH],
    "float_phone": [*TRUTH[:2], {"Phone": 7075276405.0, "IsLitigator": False}],
    "not_a_list": {"Result": TRUTH},
    "wrong_canary": [
        TRUTH[0],
        {"Phone": 2675466417, "IsLitigator": False},
        {"Phone": 7075276405, "IsLitigator": True},
    ],
}


@pytest.mark.parametrize("kind", CONTENT)
def test_content_faults(http: httpx.Client, kind: str) -> None:
    script(http, kind=kind, times=1)
    assert ask(http).json() == CONTENT[kind]
    assert ask(http).json() == TRUTH
    intact = 2 if kind in ("swap", "text_phone") else 1
    assert http.get("/sandbox/stats").json()["answered"] == intact


def test_wrong_canaries_are_wrong_about_the_test_numbers_alone(http: httpx.Client) -> None:
    script(http, kind="wrong_canary")
    http.post(PATH, json={"PhoneList": "2125550100"})
    assert http.get("/sandbox/stats").json()["answered"] == 1
    ask(http)
    assert http.get("/sandbox/stats").json()["answered"] == 1


def test_a_doubled_key(http: httpx.Client) -> None:
    script(http, kind="double_key")
    assert ask(http).text.count('"Phone": 7075276405') == 2


@pytest.mark.parametrize(
    ("fault", "status", "headers"),
    [
        ({"kind": "status", "status": 500}, 500, {}),
        ({"kind": "status", "status": 429, "retry_after": "7"}, 429, {"Retry-After": "7"}),
        ({"kind": "expired_key"}, 401, {}),
        ({"kind": "redirect"}, 307, {"Location": "http://127.0.0.1:9/elsewhere"}),
        ({"kind": "reject", "phones": [2125550100]}, 400, {}),
        ({"kind": "reject", "phones": [2125550111]}, 200, {}),
    ],
    ids=lambda v: str(v)[:40],
)
def test_status_faults(
    http: httpx.Client, fault: dict[str, Any], status: int, headers: dict[str, str]
) -> None:
    script(http, **fault)
    response = ask(http)
    assert response.status_code == status
    assert headers.items() <= dict(response.headers.multi_items()).items() or all(
        response.headers[name] == value for name, value in headers.items()
    )


def test_retry_after_as_a_date(http: httpx.Client) -> None:
    script(http, kind="status", status=429, retry_after="date:60")
    assert ask(http).headers["Retry-After"].endswith("GMT")


def test_the_login_page_and_the_wrong_type(http: httpx.Client) -> None:
    script(http, kind="login", batches=[1])
    script(http, kind="content_type", batches=[2])
    page = ask(http)
    assert (page.status_code, "<title>Login</title>" in page.text) == (200, True)
    typed = ask(http)
    assert typed.headers["Content-Type"].startswith("text/html")
    assert typed.json() == TRUTH


def test_truncated_json_is_a_complete_http_message(http: httpx.Client) -> None:
    script(http, kind="truncated")
    with pytest.raises(json.JSONDecodeError):
        ask(http).json()


def test_the_bomb_is_small_on_the_wire(http: httpx.Client) -> None:
    script(http, kind="bomb")
    with http.stream("POST", PATH, json={"PhoneList": PHONES}) as response:
        raw = b"".join(response.iter_raw())
    assert len(raw) < 1_000_000
    inflate, size = zlib.decompressobj(wbits=31), 0
    while raw:
        size += len(inflate.decompress(raw, 1_000_000))
        raw = inflate.unconsumed_tail
    assert size == BOMB_MEGABYTES * 1_000_000


@pytest.mark.parametrize("kind", ["reset", "reset_in_body", "hang"])
def test_connections_break(http: httpx.Client, kind: str) -> None:
    script(http, kind=kind, seconds=0.05, times=1)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        ask(http)
    assert ask(http).json() == TRUTH


def test_the_port_is_closed_for_a_while(http: httpx.Client) -> None:
    script(http, kind="refuse", seconds=0.2, times=1)
    with pytest.raises(httpx.TransportError):
        ask(http)
    with pytest.raises(httpx.ConnectError):
        ask(http)
    time.sleep(0.3)
    assert ask(http).json() == TRUTH


@pytest.mark.parametrize("kind", ["drip", "drip_headers", "slow"])
def test_slow_answers_arrive_in_the_end(http: httpx.Client, kind: str) -> None:
    script(http, kind=kind, seconds=0.1 if kind == "slow" else 0.001)
    started = time.perf_counter()
    assert ask(http).json() == TRUTH
    assert time.perf_counter() - started > 0.09


def test_every_kind_is_tried_somewhere_here() -> None:
    tried = {
        *CONTENT, "status", "expired_key", "redirect", "reject", "login", "content_type",
        "truncated", "bomb", "double_key", "reset", "reset_in_body", "hang", "refuse", "drip",
        "drip_headers", "slow",
    }  # fmt: skip
    assert tried == set(get_args(Kind))


def strikes(script: FaultScript, ordinals: range) -> list[int]:
    nothing = np.empty(0, dtype=np.int64)
    return [n for n in ordinals if script.strike(n, nothing)]


def test_by_batch_number_and_times() -> None:
    faults = FaultScript()
    faults.add(Fault(kind="null", batches=(2, 3, 5), times=2))
    assert strikes(faults, range(1, 9)) == [2, 3]
    assert faults.listing()[0]["struck"] == 2


def test_by_rate_the_same_each_time() -> None:
    runs = []
    for _ in range(2):
        faults = FaultScript()
        faults.add(Fault(kind="null", rate=0.25, seed=1))
        runs.append(strikes(faults, range(1, 1_001)))
    assert runs[0] == runs[1]
    assert 200 < len(runs[0]) < 300
    other = FaultScript()
    other.add(Fault(kind="null", rate=0.25, seed=2))
    assert strikes(other, range(1, 1_001)) != runs[0]


def test_by_time() -> None:
    now = [100.0]
    faults = FaultScript(clock=lambda: now[0])
    faults.add(Fault(kind="null", after=1, until=2))
    struck = []
    for at in (100.0, 100.9, 101.0, 101.9, 102.0):
        now[0] = at
        struck.append(bool(strikes(faults, range(1, 2))))
    assert struck == [False, False, True, True, False]


def test_the_first_that_fits_strikes() -> None:
    faults = FaultScript()
    faults.add(Fault(kind="null", batches=(1,)), Fault(kind="omit"))
    nothing = np.empty(0, dtype=np.int64)
    kinds = [fault.kind for n in (1, 2) if (fault := faults.strike(n, nothing))]
    assert kinds == ["null", "omit"]


def test_a_script_that_makes_no_sense_is_refused(http: httpx.Client) -> None:
    for body in ({"kind": "unheard-of"}, {"kind": "null", "when": 3}, {}, "null"):
        assert http.post("/sandbox/faults", json=body).status_code == 400
    script(http, kind="null")
    assert http.get("/sandbox/faults").json()[0]["kind"] == "null"
    assert http.delete("/sandbox/faults").json() == []
