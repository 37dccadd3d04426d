"""What alerts say, and that they arrive, or that it is told, whatever the other side does."""

import base64
import json
import logging
import re
import socket
import time
import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_dagster.alerts import (
    Alert,
    AlertError,
    Channel,
    Earlier,
    deliver,
    is_repeat,
    ntfy,
    webhook,
)
from etl_dagster.alerts.alert import LONGEST_MESSAGE
from etl_dagster.leads.phones import parse_phone
from etl_dagster.resilience import RetryPolicy
from etl_dagster_tests.receiver import Answer, Receiver, receiving

SECRET = "s3cr3t-t0p1c"
QUICK = RetryPolicy(retries=2, base_delay=0.01, max_delay=0.02)
ALERT = Alert(
    job="scrub_day",
    run_id="0f8fad5b-d9cb-469f-a165-70867728950e",
    covers="2026-11-22, chunks 00-03",
    stages=("ccc_enriched",),
    checks=("dnc_filtered: every_lead_in_one_class",),
    message="CCC did not answer for all phones of 2026-11-22 chunk 02",
    chunks_asked=4,
    chunks_done={"leads": 4, "ccc_enriched": 2, "dnc_filtered": 0},
    phones_unknown=1200,
    link="http://127.0.0.1:3000/runs/0f8fad5b-d9cb-469f-a165-70867728950e",
)
BARE = Alert(job="load_opt_outs", run_id="r", link="http://ui/runs/r")
BOTH: list[Callable[[str], Channel]] = [webhook, ntfy]


@pytest.fixture
def other() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


def nobody_listens() -> str:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}/{SECRET}"


class Log(list[str]):
    """Lines of a log."""

    def __call__(self, line: str) -> None:
        self.append(line)


@pytest.fixture
def log() -> Log:
    return Log()


def tell(alert: Alert, *channels: Channel, log: Log, seconds: float = 5.0) -> None:
    deliver(alert, channels, log=log, seconds=seconds, retry=QUICK)


# Its words


def test_the_title_names_the_job_and_what_it_covers() -> None:
    assert ALERT.title == "scrub_day failed: 2026-11-22, chunks 00-03"
    assert BARE.title == "load_opt_outs failed"


def test_the_text_has_a_line_a_fact_and_the_link_last() -> None:
    assert ALERT.text.splitlines() == [
        "failed: ccc_enriched",
        "because: CCC did not answer for all phones of 2026-11-22 chunk 02",
        "checks failed: dnc_filtered: every_lead_in_one_class",
        "chunks done: leads 4 of 4, ccc_enriched 2 of 4, dnc_filtered 0 of 4",
        "phones unknown: 1200",
        "http://127.0.0.1:3000/runs/0f8fad5b-d9cb-469f-a165-70867728950e",
    ]
    assert BARE.text == "http://ui/runs/r"


def test_no_phone_unknown_is_a_fact_too() -> None:
    alert = Alert(job="j", run_id="r", phones_unknown=0, link="l")
    assert alert.text == "phones unknown: 0\nl"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("refused\nERROR all is well\r\n\x1b[2J", "refused ERROR all is well [2J"),
        ("call (407) 555-0123 or 407.555.0124", "call *** or ***"),
        ("4\u200b0\u200b7\u200b5\u200b5\u200b5\u200b0123", "***"),
        ("407\n555\u00a00123", "***"),
        ("right\u202eleft\ud800", "rightleft"),
        ("x" * 600, "x" * (LONGEST_MESSAGE - 1) + "…"),
        ("x" * (LONGEST_MESSAGE - 12) + " 40755501234567", "x" * (LONGEST_MESSAGE - 12) + " ***…"),
        ("", ""),
    ],
)
def test_a_message_is_one_line_without_phones(message: str, shown: str) -> None:
    assert Alert(job="j", run_id="r", message=message, link="l").message == shown


def phones() -> st.SearchStrategy[str]:
    numbers = st.from_regex(r"[2-9]0[2-9][2-9]0[2-9]\d{4}", fullmatch=True).filter(parse_phone)
    forms = ("{0}{1}{2}", "({0}) {1}-{2}", "{0}.{1}.{2}", "+1 {0} {1} {2}", "1{0}{1}{2}")
    return st.tuples(numbers, st.sampled_from(forms)).map(
        lambda one: one[1].format(one[0][:3], one[0][3:6], one[0][6:])
    )


@given(st.lists(st.text() | st.text("0123456789 -.()\x00\u200b") | phones()).map(" ".join))
def test_whatever_is_said_no_phone_no_control_character_and_no_flood_gets_out(said: str) -> None:
    alert = Alert(job=said, run_id="r", covers=said, stages=[said] * 99, message=said, link="l")
    assert not re.search(r"(?<!\d)[2-9]\d\d[2-9]\d{6}(?!\d)", alert.title + alert.text, re.ASCII)
    for line in (alert.title, *alert.text.split("\n"), alert.line):
        assert not any(unicodedata.category(one).startswith("C") for one in line)
        assert len(line.splitlines()) <= 1
    assert len(alert.title) < 250
    assert len(alert.text) < 1_000
    json.dumps(alert.fields).encode()
    for channel in BOTH:
        request = channel("http://127.0.0.1/x").request(alert)
        assert len(request.content) < 10_000
        assert all(value.isascii() and "\n" not in value for value in request.headers.values())


@given(phones(), st.text(max_size=20))
def test_a_phone_among_words_is_masked(phone: str, words: str) -> None:
    alert = Alert(job="j", run_id="r", message=f"{words} | {phone} | {words}", link="l")
    assert phone not in alert.text
    assert "***" in alert.text


# On its way


def test_a_webhook_gets_text_for_people_and_fields_for_programs(
    receiver: Receiver, log: Log
) -> None:
    tell(ALERT, webhook(f"{receiver.url}/hook/{SECRET}?x=1"), log=log)
    (got,) = receiver.received
    assert got.path == f"/hook/{SECRET}?x=1"
    assert got.headers["Content-Type"] == "application/json"
    body: dict[str, Any] = json.loads(got.body)
    assert body.pop("text") == f"{ALERT.title}\n{ALERT.text}"
    assert body == {
        "title": ALERT.title,
        "job": "scrub_day",
        "run_id": ALERT.run_id,
        "covers": "2026-11-22, chunks 00-03",
        "stages": ["ccc_enriched"],
        "checks": ["dnc_filtered: every_lead_in_one_class"],
        "message": ALERT.message,
        "chunks_asked": 4,
        "chunks_done": {"leads": 4, "ccc_enriched": 2, "dnc_filtered": 0},
        "phones_unknown": 1200,
        "link": ALERT.link,
    }
    assert log == [ALERT.line]


def test_markup_in_a_message_rings_nowhere(receiver: Receiver, log: Log) -> None:
    alert = Alert(job="j", run_id="r", message="<!channel> a & b", link="l")
    tell(alert, webhook(receiver.url), log=log)
    body = json.loads(receiver.received[0].body)
    assert body["text"] == "j failed\nbecause: &lt;!channel&gt; a &amp; b\nl"
    assert body["message"] == "<!channel> a & b"


def test_ntfy_gets_a_notification_that_opens_the_run(receiver: Receiver, log: Log) -> None:
    tell(ALERT, ntfy(f"{receiver.url}/{SECRET}"), log=log)
    (got,) = receiver.received
    assert got.path == f"/{SECRET}"
    assert got.body == ALERT.text
    expected = {
        "Title": ALERT.title,
        "Priority": "high",
        "Tags": "rotating_light",
        "Click": ALERT.link,
    }
    assert {name: got.headers[name] for name in expected} == expected


def test_headers_of_ntfy_are_ascii_and_its_body_is_not_cut_within_a_character(
    receiver: Receiver, log: Log
) -> None:
    alert = Alert(job="tägliche", run_id="r", message="💥" * 999, stages=["é" * 99] * 9, link="h/ü")
    tell(alert, ntfy(receiver.url), log=log)
    (got,) = receiver.received
    assert got.headers["Title"] == "t?gliche failed"
    assert got.headers["Click"] == "h/%C3%BC"
    assert "💥" in got.body
    assert len(got.body.encode()) <= 4_000


def test_name_and_password_of_an_address_go_into_a_header(receiver: Receiver, log: Log) -> None:
    address = receiver.url.replace("//", f"//etl:{SECRET}@")
    tell(ALERT, ntfy(f"{address}/topic"), log=log)
    (got,) = receiver.received
    assert got.path == "/topic"
    assert base64.b64decode(got.headers["Authorization"].split()[1]) == f"etl:{SECRET}".encode()


@pytest.mark.parametrize("channel", BOTH)
@pytest.mark.parametrize("failure", [500, 503, 429, "cut", "nonsense"])
def test_a_failure_that_passes_is_tried_again(
    receiver: Receiver, log: Log, channel: Callable[[str], Channel], failure: Answer
) -> None:
    receiver.answers.append(failure)
    tell(ALERT, channel(receiver.url), log=log)
    assert len(receiver.received) == 2
    assert receiver.received[0].body == receiver.received[1].body
    assert log == [ALERT.line]


@pytest.mark.parametrize(
    ("answer", "tries", "reason"),
    [
        (500, 3, "HTTP 500"),
        (400, 1, "HTTP 400"),
        (403, 1, "HTTP 403"),
        (302, 1, "HTTP 302"),
        (308, 1, "HTTP 308"),
        ("cut", 3, "RemoteProtocolError"),
    ],
)
def test_a_failure_that_stays_is_told_after_bounded_tries(
    receiver: Receiver, log: Log, answer: Answer, tries: int, reason: str
) -> None:
    receiver.answers.extend([answer] * 9)
    receiver.headers["Location"] = f"{receiver.url}/elsewhere"
    with pytest.raises(AlertError, match=f"nobody was told .*: webhook: {reason}$"):
        tell(ALERT, webhook(f"{receiver.url}/{SECRET}"), log=log)
    assert [one.path for one in receiver.received] == [f"/{SECRET}"] * tries
    assert log == [ALERT.line, f"the alert was not delivered to webhook: {reason}"]


def test_who_asks_to_be_left_alone_for_long_is(receiver: Receiver, log: Log) -> None:
    receiver.answers.extend([429] * 9)
    receiver.headers["Retry-After"] = "60"
    with pytest.raises(AlertError, match="HTTP 429"):
        tell(ALERT, webhook(receiver.url), log=log)
    assert len(receiver.received) == 1


@pytest.mark.parametrize("how", ["hang", "drip"])
def test_a_server_that_never_finishes_costs_bounded_time_and_silences_nobody(
    receiver: Receiver, other: Receiver, log: Log, how: Answer
) -> None:
    receiver.answers.extend([how] * 9)
    begun = time.monotonic()
    tell(ALERT, webhook(receiver.url), ntfy(other.url), log=log, seconds=2)
    assert time.monotonic() - begun < 5
    assert other.received[0].body == ALERT.text
    reason = "the alert was not delivered to webhook: no answer within 2 seconds"
    assert log == [ALERT.line, reason]


def test_a_refused_connection_silences_nobody(receiver: Receiver, log: Log) -> None:
    tell(ALERT, ntfy(nobody_listens()), webhook(receiver.url), log=log)
    assert len(receiver.received) == 1
    assert log == [ALERT.line, "the alert was not delivered to ntfy: ConnectError"]


def test_without_a_channel_the_log_is_told(log: Log) -> None:
    tell(ALERT, log=log)
    assert log == [ALERT.line]
    assert len(ALERT.line.splitlines()) == 1


def test_the_log_is_told_before_a_channel_is_tried(receiver: Receiver) -> None:
    def full(_: str) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        deliver(ALERT, [webhook(receiver.url)], log=full)
    assert receiver.received == []


ADDRESSES = [
    f"ftp://127.0.0.1/{SECRET}",
    f"http://127.0.0.1:port-{SECRET}/",
    f"{SECRET}",
    f"http://[::{SECRET}",
    f"http://127.0.0.1:1/{SECRET}",
    f"http://u:{SECRET}@127.0.0.1:1/{SECRET}",
    "",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_that_cannot_be_used_is_told_without_it(
    log: Log, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(AlertError) as raised:
        tell(ALERT, webhook(address), ntfy(address), log=log)
    error: BaseException | None = raised.value
    seen = caplog.text + repr(webhook(address)) + "".join(log)
    while error:
        seen += repr(error)
        error = error.__cause__ or error.__context__
    assert SECRET not in seen
    assert "webhook: " in str(raised.value)
    assert "ntfy: " in str(raised.value)


def test_addresses_of_channels_that_work_are_in_no_log(
    receiver: Receiver, log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "httpcore.http11", "httpcore.connection"):
        caplog.set_level(logging.DEBUG, logger=name)
    receiver.answers.extend([500, 500])
    address = receiver.url.replace("//", f"//u:{SECRET}@") + f"/{SECRET}"
    tell(ALERT, webhook(address), ntfy(address), log=log)
    assert len(receiver.received) == 4
    assert "httpcore" in {record.name.partition(".")[0] for record in caplog.records}
    assert SECRET not in caplog.text
    assert SECRET not in "".join(log)


# --- repeats ----------------------------------------------------------------------------------

MOMENT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def earlier(letter: str) -> Earlier:
    """What became of a run: s succeeded, q failed and was not told, a and b were told; A too
    long ago."""
    if letter in "sq":
        return Earlier(succeeded=letter == "s")
    ago = timedelta(minutes=61 if letter.isupper() else 59)
    return Earlier(succeeded=False, told=letter.lower(), told_at=MOMENT - ago)


@pytest.mark.parametrize(
    ("before", "repeat"),
    [
        ("", False),
        ("q", False),
        ("s", False),
        ("a", True),
        ("qqa", True),
        ("qqA", False),
        ("b", False),
        ("qba", False),
        ("ab", True),
        ("sa", False),
        ("qsa", False),
        ("as", True),
    ],
)
def test_a_failure_is_a_repeat_if_it_was_told_and_neither_changed_nor_was_over(
    before: str, *, repeat: bool
) -> None:
    hour = timedelta(hours=1)
    assert is_repeat("a", map(earlier, before), now=MOMENT, quiet_for=hour) is repeat


@pytest.mark.parametrize(
    "change",
    [
        {"job": "j"}, {"covers": "c"}, {"stages": ("s", "t")}, {"checks": ("c",)},
        {"stages": (), "checks": ("s",)}, {"message": "m"},
    ],
)  # fmt: skip
def test_alerts_have_one_fingerprint_only_if_they_say_the_same(change: dict[str, Any]) -> None:
    given = {"job": "job", "run_id": "1", "stages": ("s",), "message": "why", "link": "http://ui/1"}
    one = Alert(**given)
    again = Alert(**{**given, "run_id": "2", "link": "http://ui/2", "phones_unknown": 3})
    assert one.fingerprint == again.fingerprint
    assert Alert(**{**given, **change}).fingerprint != one.fingerprint
