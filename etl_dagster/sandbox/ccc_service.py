"""The CCC sandbox's service: the documented protocol of its scrubs, and their control endpoints.

Belongs here: key, 10,000 limit, atomic 400, requests a minute, latency, counts. Does not: what is
known of phones (:mod:`~etl_dagster.sandbox.ccc_answers`), what goes wrong
(:mod:`~etl_dagster.sandbox.ccc_faults`), sockets (:mod:`~etl_dagster.sandbox.ccc_server`), the
process (:mod:`~etl_dagster.sandbox.ccc`).

Control: ``GET/POST/DELETE /sandbox/faults`` (a :class:`~etl_dagster.sandbox.ccc_faults.Fault` as
JSON, or a list of them), ``GET /sandbox/stats``, ``POST /sandbox/reset``; the full scrub's own
begin with ``/full``.
"""

import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec
import numpy as np
from numpy.typing import NDArray

from etl_dagster.sandbox.ccc_answers import ScrubRequest, read_phones, render
from etl_dagster.sandbox.ccc_faults import LOGIN_PAGE, Fault, FaultScript, Reply, apply, error
from etl_dagster.sandbox.ccc_full import PATH, FullRequest, render_full
from etl_dagster.sandbox.ccc_start import SANDBOX_KEY
from etl_dagster.sandbox.sidecar_server import IDENTITY_PATH

SCRUB_PATH: Final = "/v1.5/Scrub/litigator"
MOST_PHONES: Final = 10_000
MOST_PHONES_GET: Final = 100
WINDOW_SECONDS: Final = 60.0
FULL_REQUESTS_PER_MINUTE: Final = 100


@dataclass(frozen=True, kw_only=True)
class CccSandboxOptions:
    """How the sandbox behaves where nothing is scripted.

    Attributes:
        key: The key that is accepted.
        latency_ms: Time to answer; the documented service needs about 400.
        jitter: Latency varies by this share, up and down.
        requests_per_minute: Beyond it 429 is answered, in any 60 seconds.
        retry_after: Whether that 429 says for how long: None, ``seconds`` or ``date``.
        wrong_key: Answer to a wrong key: ``401`` or the HTML ``login`` page.
        track_phones: Whether to count phones that are asked again after an answer.
    """

    key: str = SANDBOX_KEY
    latency_ms: float = 50.0
    jitter: float = 0.1
    requests_per_minute: int = 1_000
    retry_after: str | None = "seconds"
    wrong_key: str = "401"
    track_phones: bool = True


@dataclass
class _Stats:
    requests: int = 0
    answered: int = 0
    phones: int = 0
    duplicates: int = 0
    rate_limited: int = 0
    in_flight: int = 0
    largest_in_flight: int = 0
    most_in_a_minute: int = 0
    statuses: dict[int, int] = field(default_factory=dict)


class CccSandbox:
    """The service. All methods run on the server's event loop.

    Attributes:
        options: As given.
        full: The full scrub, which is a service like this one.
        said: What the full scrub is to answer of a phone, field by field.
        faults: What is scripted.
        asked: Phones that were in an intact answer.
        repeated: Those that were in several.
        idle_since: When the last request came or went.
        identity: What the sidecar says of itself.
    """

    def __init__(
        self,
        options: CccSandboxOptions | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        is_full: bool = False,
    ) -> None:
        self.options = options or CccSandboxOptions()
        self.said: dict[int, dict[str, str]] = {}
        self.full: CccSandbox | None = None
        self._path = PATH if is_full else SCRUB_PATH
        self._request: type[Any] = FullRequest if is_full else ScrubRequest
        if not is_full:
            theirs = replace(self.options, requests_per_minute=FULL_REQUESTS_PER_MINUTE)
            self.full = CccSandbox(theirs, clock=clock, is_full=True)
        self.faults = FaultScript(clock=clock)
        self.idle_since = clock()
        self.identity: dict[str, Any] = {}
        self._clock = clock
        self._random = random.Random(0)  # noqa: S311 - jitter
        self.reset()

    def reset(self) -> None:
        """Forget faults, counts and what was asked; keep the options."""
        if self.full:
            self.full.reset()
        self.said.clear()
        self.faults.clear()
        self._stats = _Stats()
        self.asked: set[int] = set()
        self.repeated: set[int] = set()
        self._recent: deque[float] = deque()

    def stats(self) -> dict[str, Any]:
        """Return the counts since the last reset."""
        return asdict(self._stats)

    def handle(self, method: str, target: bytes, headers: dict[bytes, bytes], body: bytes) -> Reply:
        """Answer one request; called on the event loop, so it must be quick."""
        self.idle_since = self._clock()
        url = urlsplit(target.decode())
        if url.path.lower() == self._path.lower():
            return self._counted(self._scrub(method, url.query, headers, body))
        if self.full and (url.path == PATH or url.path.startswith("/full/")):
            return self.full.handle(method, target.removeprefix(b"/full"), headers, body)
        return self._control(method, url.path, body)

    def finished(self, reply: Reply) -> None:
        """Hear that ``reply`` was sent, or that its connection is gone."""
        self.idle_since = self._clock()
        if reply.scrub == self._path:
            self._stats.in_flight -= 1
        elif self.full:
            self.full.finished(reply)

    def _counted(self, reply: Reply) -> Reply:
        stats = self._stats
        stats.in_flight += 1
        stats.largest_in_flight = max(stats.largest_in_flight, stats.in_flight)
        stats.statuses[reply.status] = stats.statuses.get(reply.status, 0) + 1
        return replace(reply, scrub=self._path)

    def _scrub(self, method: str, query: str, headers: dict[bytes, bytes], body: bytes) -> Reply:
        self._stats.requests += 1
        delay = self._delay()
        if headers.get(b"loginid", b"").decode(errors="replace") != self.options.key:
            return self._wrong_key(delay)
        wait = self._admit()
        if wait is not None:
            self._stats.rate_limited += 1
            return self._too_many(wait)
        if method not in ("GET", "POST"):
            return error(405, delay=delay)
        text, most = self._phone_list(method, query, body)
        asked = None if text is None else read_phones(text)
        if asked is None or asked.numbers.size > most:
            return error(400, delay=delay)
        answer = render(asked) if self.full else render_full(asked, self.said)
        reply = Reply(body=answer, delay=delay, intact=True)
        if fault := self.faults.strike(self._stats.requests, asked.numbers):
            reply = apply(fault, reply)
        if reply.intact:
            self._note(asked.numbers)
        return reply

    def _note(self, phones: NDArray[np.int64]) -> None:
        self._stats.answered += 1
        self._stats.phones += phones.size
        if self.options.track_phones:
            asked = set(phones.tolist())
            again = self.asked & asked
            self.asked |= asked
            self.repeated |= again
            self._stats.duplicates += len(again)

    def _delay(self) -> float:
        spread = self.options.jitter
        return self.options.latency_ms / 1000 * self._random.uniform(1 - spread, 1 + spread)

    def _admit(self) -> float | None:
        """Count the request, or return the seconds until there is room for it."""
        now, recent = self._clock(), self._recent
        while recent and recent[0] <= now - WINDOW_SECONDS:
            recent.popleft()
        if len(recent) >= self.options.requests_per_minute:
            return recent[0] + WINDOW_SECONDS - now
        recent.append(now)
        self._stats.most_in_a_minute = max(self._stats.most_in_a_minute, len(recent))
        return None

    def _too_many(self, wait: float) -> Reply:
        seconds = str(int(wait) + 1)
        prefix = {"date": "date:", "seconds": "", None: None}[self.options.retry_after]
        retry_after = None if prefix is None else prefix + seconds
        return apply(Fault(kind="status", status=429, retry_after=retry_after), Reply())

    def _wrong_key(self, delay: float) -> Reply:
        if self.options.wrong_key == "login":
            return Reply(body=LOGIN_PAGE, content_type="text/html", delay=delay)
        return error(401, delay=delay)

    def _control(self, method: str, path: str, body: bytes) -> Reply:
        answer: Any = None
        if (method, path) == ("GET", IDENTITY_PATH):
            answer = self.identity
        elif (method, path) == ("GET", "/sandbox/stats"):
            answer = self.stats()
        elif (method, path) == ("POST", "/sandbox/reset"):
            self.reset()
        elif path == "/sandbox/faults" and method in ("GET", "POST", "DELETE"):
            try:
                answer = self._script(method, body)
            except msgspec.MsgspecError as problem:
                return Reply(status=400, body=msgspec.json.encode({"error": str(problem)}))
        else:
            return error(404)
        return Reply(body=msgspec.json.encode(answer))

    def _script(self, method: str, body: bytes) -> Any:
        if method == "DELETE":
            self.faults.clear()
        elif method == "POST":
            faults = msgspec.json.decode(body, type=Fault | list[Fault])
            self.faults.add(*(faults if isinstance(faults, list) else [faults]))
        return self.faults.listing()

    def _phone_list(self, method: str, query: str, body: bytes) -> tuple[str | None, int]:
        """Return the phone list as text (None if there is none) and how long it may be."""
        if method == "GET":
            values = {key.lower(): value for key, value in parse_qs(query).items()}
            return values.get("phonelist", [None])[0], MOST_PHONES_GET
        try:
            return msgspec.json.decode(body, type=self._request).PhoneList, MOST_PHONES
        except msgspec.MsgspecError:
            return None, MOST_PHONES
