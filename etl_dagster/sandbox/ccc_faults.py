"""The CCC sandbox's faults: everything that is known to go wrong with such an API, scripted.

Belongs here: what a fault is, when it strikes, what it makes of an intact reply. Does not: the
protocol itself (:mod:`~etl_dagster.sandbox.ccc`), how bytes reach the socket
(:mod:`~etl_dagster.sandbox.ccc_server`).
"""

import json
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from etl_dagster.sandbox.ccc_answers import KNOWN_CLEAN, KNOWN_LITIGATORS

JSON: Final = "application/json; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"
LOGIN_PAGE: Final = b"<!DOCTYPE html><html><head><title>Login</title></head><body></body></html>"
TEST_NUMBERS: Final = KNOWN_CLEAN | KNOWN_LITIGATORS
BOMB_MEGABYTES: Final = 200

_MEGABYTE: Final = 1_000_000

Effect = Literal["send", "reset", "reset_in_body", "hang", "drip", "drip_headers", "refuse"]
Kind = Literal[
    "status",  # `status`, with `retry_after` where given
    "refuse",  # the port is closed for `seconds`
    "reset",  # connection reset before the first byte
    "reset_in_body",
    "hang",  # nothing is sent for `seconds`, then the connection is closed
    "drip",  # one byte of the body every `seconds`
    "drip_headers",
    "slow",  # `seconds` of extra latency, the answer intact
    "login",  # 200 with the HTML login page
    "expired_key",  # 401, as for a key that is no longer known
    "truncated",
    "content_type",  # an error page's type on an intact body
    "missing_key",
    "null",
    "string_bool",
    "omit",
    "extra",
    "duplicate",  # one phone twice, with contradicting answers
    "double_key",  # one entry with the key twice, contradicting
    "swap",  # the order differs: harmless
    "text_phone",  # phones as text: harmless
    "float_phone",
    "not_a_list",
    "bomb",  # a small gzip body of 200 MB
    "redirect",  # to `location`
    "wrong_canary",  # the test numbers' answers are the wrong way round
    "reject",  # 400
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What to send, when, and what to do to the connection while sending."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    effect: Effect = "send"
    seconds: float = 0.0
    intact: bool = False
    scrub: str = ""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One scripted fault: what (``kind`` and its parameters) and when.

    Attributes:
        kind: What happens.
        batches: Ordinals of scrub requests since the last reset, from 1; empty means any.
        rate: Share of those requests, drawn by a hash of ordinal and ``seed``.
        seed: Makes draws of several faults independent.
        after: Seconds from scripting until it may strike.
        until: Seconds from scripting until it no longer does; None means never.
        times: How often it may strike; None means without limit.
        status: For ``status``: the HTTP status.
        retry_after: For ``status``: seconds or ``date:<seconds>`` for an HTTP date.
        seconds: Duration for ``refuse``, ``hang``, ``slow`` and the drips.
        location: For ``redirect``.
        phones: If any, it strikes only batches with one of them, such as the vendor does not like.
    """

    kind: Kind
    batches: tuple[int, ...] = ()
    rate: float = 1.0
    seed: int = 0
    after: float = 0.0
    until: float | None = None
    times: int | None = None
    status: int = 503
    retry_after: str | None = None
    seconds: float = 1.0
    location: str = "http://127.0.0.1:9/elsewhere"
    phones: tuple[int, ...] = ()


class FaultScript:
    """The faults in force; the first that strikes a request is the one that happens."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: list[tuple[Fault, float, list[int]]] = []

    def add(self, *faults: Fault) -> None:
        """Script faults, after those already there; their times count from now."""
        self._entries += [(fault, self._clock(), [0]) for fault in faults]

    def clear(self) -> None:
        """Forget all faults."""
        self._entries.clear()

    def listing(self) -> list[dict[str, Any]]:
        """Return the faults and how often each has struck."""
        return [
            {**msgspec.to_builtins(fault), "struck": struck[0]}
            for fault, _, struck in self._entries
        ]

    def strike(self, ordinal: int, phones: NDArray[np.int64]) -> Fault | None:
        """Return the fault for this request, and count it as having struck."""
        now = self._clock()
        for fault, since, struck in self._entries:
            if _due(fault, ordinal, now - since, struck[0]) and (
                not fault.phones or bool(np.isin(phones, fault.phones).any())
            ):
                struck[0] += 1
                return fault
        return None


def _due(fault: Fault, ordinal: int, elapsed: float, struck: int) -> bool:
    draw = zlib.crc32(f"{fault.seed}:{ordinal}".encode()) / 2**32
    return (
        (not fault.batches or ordinal in fault.batches)
        and fault.after <= elapsed < (float("inf") if fault.until is None else fault.until)
        and (fault.times is None or struck < fault.times)
        and draw < fault.rate
    )


def apply(fault: Fault, reply: Reply) -> Reply:
    """Return what becomes of the intact ``reply``."""
    if fault.kind in ("reset", "reset_in_body", "hang", "drip", "drip_headers", "refuse"):
        return replace(reply, effect=fault.kind, seconds=fault.seconds, intact=False)
    if fault.kind in _REPLIES:
        return _REPLIES[fault.kind](fault, reply)
    entries = json.loads(reply.body)
    body = json.dumps(_ENTRIES[fault.kind](entries))
    harmless = fault.kind in ("swap", "text_phone") or body == json.dumps(entries)
    return replace(reply, body=body.encode(), intact=harmless)


def _status(fault: Fault, reply: Reply) -> Reply:
    headers: tuple[tuple[str, str], ...] = ()
    if fault.retry_after is not None:
        as_date, _, seconds = fault.retry_after.rpartition(":")
        date = formatdate(time.time() + float(seconds), usegmt=True)
        headers = (("Retry-After", date if as_date else seconds),)
    return error(fault.status, headers=headers, delay=reply.delay)


def error(status: int, *, headers: tuple[tuple[str, str], ...] = (), delay: float = 0.0) -> Reply:
    """Return an error reply as the vendor writes them: JSON with a message."""
    body = b'{"Message":"The request could not be processed."}'
    return Reply(status=status, body=body, headers=headers, delay=delay)


def _bomb(_fault: Fault, reply: Reply) -> Reply:
    deflate = zlib.compressobj(wbits=31)
    # After a full flush each compressed megabyte is the same bytes, so one stands for all.
    first, other = (
        deflate.compress(b" " * _MEGABYTE) + deflate.flush(zlib.Z_FULL_FLUSH) for _ in range(2)
    )
    body = first + other * (BOMB_MEGABYTES - 1)
    return replace(reply, body=body, headers=(("Content-Encoding", "gzip"),), intact=False)


_REPLIES: Final[dict[str, Callable[[Fault, Reply], Reply]]] = {
    "status": _status,
    "slow": lambda fault, reply: replace(reply, delay=reply.delay + fault.seconds),
    "login": lambda _, reply: replace(reply, body=LOGIN_PAGE, content_type=HTML, intact=False),
    "expired_key": lambda _, reply: error(401, delay=reply.delay),
    "truncated": lambda _, reply: replace(
        reply, body=reply.body[: len(reply.body) // 2], intact=False
    ),
    "content_type": lambda _, reply: replace(reply, content_type=HTML, intact=False),
    "bomb": _bomb,
    "redirect": lambda fault, _: Reply(status=307, headers=(("Location", fault.location),)),
    "reject": lambda _, reply: error(400, delay=reply.delay),
}

Entries = list[dict[str, Any]]


def _flag(entry: dict[str, Any]) -> str:
    """The field that says whether a phone may be called."""
    return "IsLitigator" if "IsLitigator" in entry else "ResultCode"


def _opposite(entry: dict[str, Any]) -> dict[str, Any]:
    other = {True: False, False: True, "C": "D"}.get(entry[_flag(entry)], "C")
    why = {"Reason": ";;;"} if "Reason" in entry else {}
    return {**entry, **why, _flag(entry): other}


def _last(entries: Entries, value: Any, key: str = "") -> Entries:
    return [*entries[:-1], {**entries[-1], key or _flag(entries[-1]): value}]


class _Doubled(dict[str, Any]):
    """An object that writes its keys twice, first contradicting itself."""

    def items(self) -> Any:
        return [*_opposite(self).items(), *super().items()]


_ENTRIES: Final[dict[str, Callable[[Entries], Any]]] = {
    "missing_key": lambda entries: [*entries[:-1], {"Phone": entries[-1]["Phone"]}],
    "null": lambda entries: _last(entries, None),
    "string_bool": lambda entries: _last(entries, "false" if "IsLitigator" in entries[0] else 0),
    "omit": lambda entries: entries[:-1],
    "extra": lambda entries: [*entries, {**entries[-1], "Phone": 2125550199}],
    "duplicate": lambda entries: [*entries, _opposite(entries[-1])],
    "double_key": lambda entries: [*entries[:-1], _Doubled(entries[-1])],
    "swap": lambda entries: entries[::-1],
    "text_phone": lambda entries: [{**e, "Phone": str(e["Phone"])} for e in entries],
    "float_phone": lambda entries: _last(entries, float(entries[-1]["Phone"]), "Phone"),
    "not_a_list": lambda entries: {"Result": entries},
    "wrong_canary": lambda entries: [
        _opposite(e) if int(e["Phone"]) in TEST_NUMBERS else e for e in entries
    ],
}
