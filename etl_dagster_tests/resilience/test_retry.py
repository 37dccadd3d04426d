"""What is transient, how long to wait, when to give up."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_dagster.ccc.errors import (
    CccAuthError,
    CccCanaryError,
    CccConnectionError,
    CccMalformedError,
    status_error,
)
from etl_dagster.resilience import (
    BreakerOpenError,
    CancelledError,
    OutOfTimeError,
    RetryPolicy,
    is_transient,
    parse_retry_after,
)


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        *[(status_error(s, None), True) for s in (408, 425, 429, 500, 502, 503, 504, 520)],
        *[(status_error(s, None), False) for s in (301, 307, 400, 404, 405, 413, 422, 501, 505)],
        (CccConnectionError("x", reason="timeout"), True),
        (CccMalformedError("x", reason="malformed_response"), True),
        (CccAuthError("x"), False),
        (CccCanaryError("x"), False),
        (BreakerOpenError("x", probing=True), False),
        (CancelledError(), False),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (ValueError(), False),
        (KeyboardInterrupt(), False),
    ],
    ids=repr,
)
def test_transient_or_permanent(error: BaseException, transient: bool) -> None:  # noqa: FBT001
    assert is_transient(error) is transient


def test_running_out_of_time_is_not_worth_a_retry() -> None:
    assert not is_transient(OutOfTimeError("x"))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-3", None),
        ("1.5", None),
        ("0", 0.0),
        (" 120 ", 120.0),
        (formatdate(1_000_030, usegmt=True), 30.0),
        (formatdate(999_000, usegmt=True), 0.0),
        ("Mon Jan 12 13:46:50 1970", 10.0),  # asctime's form, in UTC
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
        ("٣", None),
    ],
)
def test_retry_after_in_both_forms(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, now=1_000_000.0) == seconds


@given(st.text(max_size=40))
def test_no_retry_after_is_a_crash(value: str) -> None:
    wait = parse_retry_after(value, now=1_000_000.0)
    assert wait is None or wait >= 0


class Asked:
    """A service that fails so often, with time that passes only by sleeping."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.now = 0.0
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    def __call__(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def down(retry_after: float | None = None) -> Exception:
    return status_error(503, retry_after)


def test_four_retries_at_1_2_4_8_seconds() -> None:
    asked = Asked(*[down() for _ in range(4)])
    retrying = RetryPolicy(jitter=0.0).retrying(sleep=asked.sleep, clock=lambda: asked.now)
    assert retrying(asked) == "answer"
    assert asked.naps == [1.0, 2.0, 4.0, 8.0]


def test_the_fifth_failure_is_raised_as_it_is() -> None:
    errors = [down() for _ in range(5)]
    asked = Asked(*errors)
    seen: list[BaseException] = []
    retrying = RetryPolicy().retrying(
        sleep=asked.sleep, clock=lambda: asked.now, on_retry=seen.append
    )
    with pytest.raises(type(errors[4])) as caught:
        retrying(asked)
    assert caught.value is errors[4]
    assert seen == errors[:4]


def test_a_permanent_error_is_not_retried() -> None:
    asked = Asked(status_error(404, None))
    with pytest.raises(Exception, match="404"):
        RetryPolicy().retrying(sleep=asked.sleep)(asked)
    assert asked.naps == []


def test_retry_after_outlasts_the_cap() -> None:
    asked = Asked(down(45.0))
    RetryPolicy(jitter=0.0).retrying(sleep=asked.sleep, clock=lambda: asked.now)(asked)
    assert asked.naps == [45.0]


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    asked = Asked(down(), down(60.0))
    retrying = RetryPolicy(jitter=0.0).retrying(
        sleep=asked.sleep, clock=lambda: asked.now, deadline=30.0
    )
    with pytest.raises(Exception, match="503"):
        retrying(asked)
    assert asked.naps == [1.0]


@given(
    attempt=st.integers(1, 60),
    draw=st.floats(0, 1),
    base=st.floats(0.001, 10),
    cap=st.floats(0.001, 100),
    jitter=st.floats(0, 1),
    demanded=st.one_of(st.none(), st.floats(0, 10_000)),
)
def test_delays_stay_in_their_bounds(  # noqa: PLR0917 - one axis each
    attempt: int, draw: float, base: float, cap: float, jitter: float, demanded: float | None
) -> None:
    policy = RetryPolicy(base_delay=base, max_delay=cap, jitter=jitter)
    delay = policy.delay(attempt, down(demanded), draw=draw)
    assert delay >= (demanded or 0)
    assert delay >= min(base, cap)
    assert delay <= max(demanded or 0, cap) + cap * jitter
