"""A circuit breaker for calls that many threads and processes make at once.

Belongs here: who may call now, and what an outcome does to the circuit. Does not: the state
machine itself, which is pybreaker's; where state is kept
(:mod:`~etl_dagster.resilience.breaker_store`).

pybreaker's own ``call`` holds a lock while the function runs, so that 16 threads wait for one
another; its ``calling`` does not, but then counters race and several probes pass. Here the call
runs outside of any lock. Its outcome is replayed through a pybreaker circuit afterwards, in a
transaction on the shared state. A new circuit object is made for each outcome: an old one caches
the state, and one that finds its cache outdated resets the counters that it shares with others.
"""

import contextlib
import enum
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import pybreaker

from etl_dagster.resilience.breaker_store import BreakerRecord, BreakerStore


class Outcome(enum.Enum):
    """What a call says of the service."""

    SUCCESS = enum.auto()
    FAILURE = enum.auto()
    IGNORED = enum.auto()


class BreakerOpenError(Exception):
    """The call was not made.

    Attributes:
        probing: The circuit is half-open and its one probe is under way, so that the answer to
            whether the service is back is near; otherwise it is open.
    """

    def __init__(self, message: str, *, probing: bool) -> None:
        super().__init__(message)
        self.probing = probing


class _FailedError(Exception):
    """Stands for a failure while its outcome is replayed."""


class _Permit(NamedTuple):
    generation: int
    probe: str


def judge_by_exception(error: BaseException | None) -> Outcome:
    """Judge every :class:`Exception` a failure; what ends a thread says nothing of the service."""
    if error is None:
        return Outcome.SUCCESS
    return Outcome.FAILURE if isinstance(error, Exception) else Outcome.IGNORED


class Breaker:
    """Closed: calls pass. Open: none does. Half-open: one at a time, as a probe.

    Args:
        name: For messages.
        failures: So many in a row open it.
        reset_seconds: It stays open for so long, then a probe may pass.
        successes: So many probes in a row close it; one failed probe opens it again.
        probe_seconds: A probe without an outcome is given up after so long: its process died.
        store: Where the state is.
        judge: The one function that says which errors count.
        on_change: Told old and new state when this object makes or notices a change.
        clock: Seconds since the epoch; shared by all that share the store.

    Attributes:
        seen: The state, as it was noticed last.
    """

    def __init__(  # noqa: PLR0913 - each is a policy of its own, all keyword-only
        self,
        *,
        name: str,
        failures: int = 5,
        reset_seconds: float = 60.0,
        successes: int = 2,
        probe_seconds: float = 60.0,
        store: BreakerStore,
        judge: Callable[[BaseException | None], Outcome] = judge_by_exception,
        on_change: Callable[[str, str], None] = lambda _old, _new: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._failures = failures
        self._reset_seconds = reset_seconds
        self._successes = successes
        self._probe_seconds = probe_seconds
        self._store = store
        self._judge = judge
        self._on_change = on_change
        self._clock = clock
        self._noticing = threading.Lock()
        self.seen = pybreaker.STATE_CLOSED
        self._probes: set[str] = set()

    @property
    def state(self) -> str:
        """``closed``, ``open`` or ``half-open``, as stored now."""
        return self._notice(self._store.peek()).state

    @contextlib.contextmanager
    def attempt(self) -> Iterator[None]:
        """Make one call in the body; how it ends is the outcome.

        Raises:
            BreakerOpenError: The call must not be made.
        """
        permit = self._enter()
        try:
            yield
        except BaseException as error:
            self._leave(permit, self._judge(error))
            raise
        # what came of it is not lost for a store that fails, which the next call meets anyway
        with contextlib.suppress(Exception):
            self._leave(permit, self._judge(None))

    def check(self) -> None:
        """Raise at once what :meth:`attempt` would raise, without making a call.

        Raises:
            BreakerOpenError: A call must not be made now.
        """
        self._refuse(self._notice(self._store.peek()))

    def abandon(self) -> None:
        """Free the probe that a thread of this process holds and will not give back."""
        for probe in tuple(self._probes):
            generation = self._store.peek().generation
            self._leave(_Permit(generation, probe), Outcome.IGNORED)

    def close(self) -> None:
        """Free probes, and let go of the store."""
        self.abandon()
        self._store.close()

    def _enter(self) -> _Permit:
        record = self._store.peek()
        if record.state != pybreaker.STATE_CLOSED:
            with self._store.writing() as record:
                self._take_probe(record)
            self._probes.add(record.probe)
        self._notice(record)
        return _Permit(record.generation, record.probe)

    def _take_probe(self, record: BreakerRecord) -> None:
        self._refuse(record)
        if record.state == pybreaker.STATE_OPEN:
            self._circuit(record).half_open()
            record.generation += 1
        if record.state == pybreaker.STATE_HALF_OPEN:
            record.probe = uuid.uuid4().hex
            record.probe_until = self._clock() + self._probe_seconds

    def _refuse(self, record: BreakerRecord) -> None:
        now = self._clock()
        if record.state == pybreaker.STATE_OPEN and record.opened_at is not None:
            wait = record.opened_at.timestamp() + self._reset_seconds - now
            # longer than that: the clock was set back since
            if 0 < wait <= 2 * self._reset_seconds:
                raise BreakerOpenError(
                    f"circuit {self.name!r} is open: {self._failures} calls in a row failed; "
                    f"the next probe may pass in {wait:.0f} s",
                    probing=False,
                )
        probed = record.state == pybreaker.STATE_HALF_OPEN and record.probe
        if probed and 0 < record.probe_until - now <= 2 * self._probe_seconds:
            raise BreakerOpenError(
                f"circuit {self.name!r} is half-open and its probe is under way", probing=True
            )

    def _leave(self, permit: _Permit, outcome: Outcome) -> None:
        # Mostly, a success of a closed circuit without failures: nothing to write.
        record = self._store.peek()
        before = (record.counter, record.generation, record.probe)
        self._record(record, permit, outcome)
        if (record.counter, record.generation, record.probe) != before:
            with self._store.writing() as record:
                self._record(record, permit, outcome)
        self._probes.discard(permit.probe)
        self._notice(record)

    def _record(self, record: BreakerRecord, permit: _Permit, outcome: Outcome) -> None:
        if (record.generation, record.probe) != permit:
            return  # begun in another state of the circuit, or a probe that was given up
        record.probe = ""
        if outcome is Outcome.IGNORED:
            return
        before = record.state
        with contextlib.suppress(_FailedError):
            self._circuit(record).call(_replay, outcome)
        if record.state != before:
            record.generation += 1
        if record.state == pybreaker.STATE_OPEN:
            record.opened_at = datetime.fromtimestamp(self._clock(), UTC)

    def _circuit(self, record: BreakerRecord) -> pybreaker.CircuitBreaker:
        return pybreaker.CircuitBreaker(
            fail_max=self._failures,
            reset_timeout=self._reset_seconds,
            success_threshold=self._successes,
            state_storage=record,
            throw_new_error_on_trip=False,
        )

    def _notice(self, record: BreakerRecord) -> BreakerRecord:
        with self._noticing:
            old, self.seen = self.seen, record.state
        if old != record.state:
            self._on_change(old, record.state)
        return record


def _replay(outcome: Outcome) -> None:
    if outcome is Outcome.FAILURE:
        raise _FailedError
