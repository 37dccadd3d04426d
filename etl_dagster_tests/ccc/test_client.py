"""One request: intact answers pass, everything else is an error that says nothing private."""

import hashlib
import json
import logging
import socket
import time
import traceback
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_dagster.ccc import CccCanaryError, CccClient, CccConfig, CccError
from etl_dagster.ccc.answer import reconcile
from etl_dagster.ccc.client import repeats
from etl_dagster.ccc.errors import (
    CccAuthError,
    CccConnectionError,
    CccIncompleteError,
    CccMalformedError,
    CccRateLimitedError,
    CccRejectedError,
    CccRequestError,
    CccStatusError,
)
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.resilience import is_transient
from etl_dagster.sandbox.ccc_answers import litigators
from etl_dagster_tests.ccc.conftest import Sandbox, phones

Settings = Callable[..., CccConfig]

FAULTS = [
    ({"kind": "status", "status": 500}, CccStatusError, "http_500"),
    ({"kind": "status", "status": 502}, CccStatusError, "http_502"),
    ({"kind": "status", "status": 503}, CccStatusError, "http_503"),
    ({"kind": "status", "status": 404}, CccStatusError, "http_404"),
    ({"kind": "status", "status": 429}, CccRateLimitedError, "http_429"),
    ({"kind": "status", "status": 400}, CccRejectedError, "rejected_400"),
    ({"kind": "redirect"}, CccStatusError, "http_307"),
    ({"kind": "reset"}, CccConnectionError, "connection_failed"),
    ({"kind": "reset_in_body"}, CccConnectionError, "connection_failed"),
    ({"kind": "refuse", "seconds": 0.2}, CccConnectionError, "connection_failed"),
    ({"kind": "hang", "seconds": 1.0}, CccConnectionError, "timeout"),
    ({"kind": "drip", "seconds": 0.05}, CccConnectionError, "timeout"),
    ({"kind": "drip_headers", "seconds": 0.05}, CccConnectionError, "timeout"),
    ({"kind": "truncated"}, CccMalformedError, "malformed_response"),
    ({"kind": "content_type"}, CccMalformedError, "malformed_response"),
    ({"kind": "missing_key"}, CccMalformedError, "malformed_response"),
    ({"kind": "null"}, CccMalformedError, "malformed_response"),
    ({"kind": "string_bool"}, CccMalformedError, "malformed_response"),
    ({"kind": "omit"}, CccIncompleteError, "malformed_response"),
    ({"kind": "extra"}, CccMalformedError, "malformed_response"),
    ({"kind": "duplicate"}, CccMalformedError, "malformed_response"),
    ({"kind": "double_key"}, CccMalformedError, "malformed_response"),
    ({"kind": "float_phone"}, CccMalformedError, "malformed_response"),
    ({"kind": "not_a_list"}, CccMalformedError, "malformed_response"),
    ({"kind": "bomb"}, CccMalformedError, "malformed_response"),
]


@pytest.mark.parametrize(("fault", "error", "reason"), FAULTS, ids=lambda v: str(v)[:60])
def test_every_fault_is_an_error_with_its_reason(
    sandbox: Sandbox, settings: Settings, fault: dict[str, object], error: type, reason: str
) -> None:
    sandbox.fault(**fault)  # type: ignore[arg-type]
    client = CccClient(settings())
    with pytest.raises(error) as caught:
        client.ask(phones(20))
    assert caught.value.reason == reason
    permanent = reason in ("http_404", "http_307", "rejected_400") or error is CccIncompleteError
    assert is_transient(caught.value) is not permanent
    client.close()


@pytest.mark.parametrize("kind", ["login", "expired_key"])
def test_a_refused_key_is_an_auth_error(sandbox: Sandbox, settings: Settings, kind: str) -> None:
    sandbox.fault(kind)
    with pytest.raises(CccAuthError) as caught:
        CccClient(settings()).ask(phones(3))
    assert not is_transient(caught.value)


def test_a_wrong_key_is_an_auth_error_however_the_vendor_says_it(settings: Settings) -> None:
    with pytest.raises(CccAuthError):
        CccClient(settings(api_key="another")).ask(phones(3))


@pytest.mark.parametrize("kind", [None, "swap", "text_phone"])
def test_an_intact_answer_gives_each_phone_its_verdict(
    sandbox: Sandbox, settings: Settings, kind: str | None
) -> None:
    if kind:
        sandbox.fault(kind)
    asked = np.random.default_rng(1).permutation(phones(1_000))
    answer = CccClient(settings()).ask(asked)
    truth = np.where(litigators(asked), Verdict.LISTED, Verdict.CLEAR)
    assert answer.verdicts.dtype == np.int8
    assert answer.verdicts.tolist() == truth.tolist()
    assert len(answer.evidence_hash) == 64


def test_ten_thousand_phones_fit_in_one_request(settings: Settings) -> None:
    answer = CccClient(settings(batch_size=10_000)).ask(phones(10_000))
    assert answer.verdicts.size == 10_000


def test_the_evidence_is_the_hash_of_the_body(sandbox: Sandbox, settings: Settings) -> None:
    answer = CccClient(settings()).ask(phones(2))
    body = httpx.post(
        f"{sandbox.url}/v1.5/Scrub/litigator",
        json={"PhoneList": ",".join(map(str, phones(2).tolist()))},
        headers={"loginId": "sandbox-key"},
    ).content
    assert answer.evidence_hash == hashlib.sha256(body).hexdigest()
    assert answer.document == body
    assert "Phone" not in repr(answer)


def test_a_body_that_repeats_the_key_is_not_kept(sandbox: Sandbox, settings: Settings) -> None:
    del sandbox
    answer = CccClient(settings()).ask(phones(2))
    again = CccClient(settings(api_key="IsLitigator"))
    assert again._to_keep(answer.document) == b""


SIGNS = st.characters(min_codepoint=0x20, max_codepoint=0x7E)


@given(
    key=st.text(SIGNS, min_size=8).filter(lambda key: key.strip() == key),
    around=st.text(),
    how=st.lists(
        st.sampled_from(
            [
                str.upper,
                str.lower,
                quote_plus,
                lambda key: quote(key, safe=""),
                lambda key: json.dumps(key)[1:-1],
                lambda key: json.dumps(key)[1:-1].replace("/", "\\/"),
                lambda key: "".join(f"\\u{ord(one):04X}" for one in key),
                lambda key: "".join(f"%{ord(one):02x}" for one in key),
                lambda key: json.dumps(quote(key))[1:-1],
                lambda key: quote(json.dumps(key)[1:-1], safe=""),
            ]
        ),
        max_size=1,
    ),
)
def test_the_key_is_found_in_a_body_however_it_is_written(
    key: str, around: str, how: list[Callable[[str], str]]
) -> None:
    written = key
    for one in how:
        written = one(written)
    body = f'[{json.dumps(around)}, "{written}"]'.encode()
    assert repeats(body, key)


def test_a_body_without_the_key_is_kept(settings: Settings) -> None:
    body = CccClient(settings()).ask(phones(2)).document
    assert body
    assert not repeats(body, "sandbox-key")
    assert not repeats(rb'["sandbox\/key", "sandbox%20key"]', "sandbox-key")


def test_canary_tells_right_from_wrong_answers(sandbox: Sandbox, settings: Settings) -> None:
    client = CccClient(settings())
    client.canary()
    sandbox.fault("wrong_canary")
    with pytest.raises(CccCanaryError):
        client.canary()


def test_a_redirect_is_not_followed(sandbox: Sandbox, settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(0.2)
        address = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/"
        sandbox.fault("redirect", location=address)
        with pytest.raises(CccStatusError):
            CccClient(settings()).ask(phones(3))
        with pytest.raises(TimeoutError):
            elsewhere.accept()


@pytest.mark.parametrize("location", ['http:"//x/', "http://\x80x/", "//[", "\x1b[2J"])
def test_a_redirect_to_nowhere_is_a_failure_like_any_other(
    sandbox: Sandbox, settings: Settings, location: str
) -> None:
    sandbox.fault("redirect", location=location)
    with pytest.raises(CccRequestError) as refusal:
        CccClient(settings()).ask(phones(3))
    assert is_transient(refusal.value) or isinstance(refusal.value, CccStatusError)
    assert refusal.value.__cause__ is refusal.value.__context__ is None


def test_a_gzip_bomb_is_refused_in_little_memory(sandbox: Sandbox, settings: Settings) -> None:
    import resource  # noqa: PLC0415 - only here

    sandbox.fault("bomb")
    client = CccClient(settings())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CccMalformedError):
        client.ask(phones(3))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_a_dripping_server_cannot_exceed_the_total_time(
    sandbox: Sandbox, settings: Settings
) -> None:
    for kind in ("drip", "drip_headers"):
        sandbox.reset()
        sandbox.fault(kind, seconds=0.02)
        started = time.monotonic()
        with pytest.raises(CccConnectionError):
            CccClient(settings(answer_timeout=0.3)).ask(phones(20))
        assert time.monotonic() - started < 0.6


def test_retry_after_is_read_in_both_forms(sandbox: Sandbox, settings: Settings) -> None:
    for form in ("7", "date:7"):
        sandbox.reset()
        sandbox.fault("status", status=429, retry_after=form)
        with pytest.raises(CccRateLimitedError) as caught:
            CccClient(settings()).ask(phones(3))
        assert caught.value.retry_after == pytest.approx(7, abs=1.1)


def test_nothing_private_is_in_errors_logs_or_reprs(
    sandbox: Sandbox, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    config = settings(api_key="sandbox-key")
    client = CccClient(config)
    texts = [repr(config), str(config), repr(client)]
    for fault, _, _ in [*FAULTS, ({"kind": "login"}, None, None)]:
        sandbox.reset()
        sandbox.fault(**fault)  # type: ignore[arg-type]
        with pytest.raises(CccError) as caught:
            client.ask(phones(20))
        texts += ["".join(traceback.format_exception(caught.value)), repr(caught.value)]
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
    seen = "\n".join([*texts, caplog.text])
    assert "sandbox-key" not in seen
    assert "55500" not in seen


ENTRY = b'{"Phone":2125550100,"IsLitigator":true}'


@pytest.mark.parametrize(
    ("document", "intact"),
    [
        (b"[%s]" % ENTRY, True),
        (b" [ %s ] \n" % ENTRY, True),
        (b'[{"Note":"a \\"b\\"","Phone":2125550100,"IsLitigator":true}]', True),
        (b'[{"Note":"\\"Phone\\"","Phone":2125550100,"IsLitigator":true,"x":["Phone"]}]', True),
        (b'[{"Phone":2125550100,"IsLitigator":true,"\\u0049sLitigator":false}]', False),
        (b'[{"\\u0050hone":2125550101,"Phone":2125550100,"IsLitigator":true}]', False),
        (b'[{"phone":2125550100,"isLitigator":true}]', False),
        (b"[%s]x" % ENTRY, False),
        (b"[%s,]" % ENTRY, False),
        (b"[%s" % ENTRY, False),
        (b'[{"Phone":2125550100,"IsLitigator":true,"x":%s}]' % (b"7" * 4300), True),
        (b'[{"Phone":2125550100,"IsLitigator":true,"x":"%s"}]' % (b"7" * 5000), True),
        (b'[{"Phone":2125550100,"IsLitigator":true,"x":%s}]' % (b"7" * 4301), False),
        (b'[{"Phone":2125550100,"IsLitigator":true,"x":-%s,"y":"\\n"}]' % (b"7" * 4301), False),
        (b"\xef\xbb\xbf[%s]" % ENTRY, False),
        (b'[{"Phone":"21255501\xff0","IsLitigator":true}]', False),
        (
            b'[{"Phone":2125550100,"IsLitigator":true,"x":' + b"[" * 10**5 + b"]" * 10**5 + b"}]",
            False,
        ),
        (b"[" * 10**5, False),
        (b"[[%s]]" % ENTRY, False),
        (b"{}", False),
        (b"", False),
    ],
    ids=lambda v: repr(v)[:70],
)
def test_json_is_read_strictly(document: bytes, intact: bool) -> None:  # noqa: FBT001
    problem, verdicts, _ = reconcile(document, np.array([2125550100], dtype=np.int64))
    assert (problem == "") is intact
    assert verdicts.tolist() == ([Verdict.LISTED] if intact else [])


@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.integers(0, 2**70),
                st.sampled_from(
                    [2125550100, 2125550101, "2125550100", " 2125550100", "\uff12125550100"]
                ),
            ),
            st.sampled_from(["true", "false", "null", "0", '"true"']),
        ),
        max_size=4,
    )
)
def test_reconciliation_accepts_exactly_one_answer_per_phone(
    entries: list[tuple[int | str, str]],
) -> None:
    import json  # noqa: PLC0415 - only here

    asked = np.array([2125550100, 2125550101], dtype=np.int64)
    document = (
        "["
        + ",".join(f'{{"Phone":{json.dumps(p)},"IsLitigator":{flag}}}' for p, flag in entries)
        + "]"
    ).encode()
    problem, verdicts, _ = reconcile(document, asked)
    answers = {int(p): flag for p, flag in entries if str(p).isascii() and str(p).strip() == str(p)}
    intact = (
        len(entries) == 2
        and set(answers) == set(asked.tolist())
        and all(flag in ("true", "false") for _, flag in entries)
    )
    assert (problem == "") is intact
    if intact:
        expected = [
            Verdict.LISTED if answers[p] == "true" else Verdict.CLEAR for p in asked.tolist()
        ]
        assert verdicts.tolist() == expected
