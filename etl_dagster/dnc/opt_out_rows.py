"""Which opt-outs of a table are not on record yet.

Belongs here: the difference between a table's rows and the requests on record. Does not: reading
the table (`warehouse/opt_outs.py`), writing requests (`opt_outs.py`).

A row is known by its phone and moment, and by how many rows have the same two. So reading a table
again records nothing; a row that comes late is not missed, as it would be by a watermark; and a
phone that was opted in again stays so until there is a row more. Where the moment is missing, or
lies ahead, the request counts from when it is recorded, and its note keeps what the row said.

A row of midnight says no more than the day. If the phone was opted in on that very day, nobody can
tell whether that came before or after: the request is recorded once more, and stands.
"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc.moments import DAY, from_micros, micros, parse_moment
from etl_dagster.dnc.opt_outs import Asked
from etl_dagster.dnc.requests import OPT_OUT, Request

UNDATED: Final = "the table has no moment for it"
AHEAD: Final = "the table dates it ahead: "
AGAIN: Final = "the table dates it on a day on which it was opted in; which came first is not known"
_NO_MOMENT: Final = np.iinfo(np.int64).min
"""How numpy stores "not a time"."""
_Key = tuple[int, int]


@dataclass(frozen=True)
class OnRecord:
    """What is on record of a list, as far as rows of a table are compared with it.

    Attributes:
        phones: of each opt-out, int64, shape (n,).
        moments: those that its row has or would have, microseconds since 1970; shape (n,).
        again: phone and midnight of requests that an opt-in of that day may have come before.
    """

    phones: NDArray[np.int64]
    moments: NDArray[np.int64]
    again: frozenset[_Key]

    @classmethod
    def of(cls, requests: Iterable[Request], *, table: str) -> "OnRecord":
        """Read requests in the order written, by whatever way they came; none is kept."""
        phones, moments, again = array("q"), array("q"), set[_Key]()
        for request in requests:
            if request.action != OPT_OUT:
                again.add((request.phone, request.effective // DAY * DAY))
                continue
            moment = _moment(request, table)
            if again:
                again.discard((request.phone, moment))
            if request.source != table or request.note != AGAIN:
                phones.append(request.phone)
                moments.append(moment)
        return cls(np.array(phones, np.int64), np.array(moments, np.int64), frozenset(again))


def new_requests(
    known: OnRecord,
    phones: NDArray[np.int64],
    moments: NDArray[np.datetime64],
    *,
    table: str,
    now: datetime,
) -> list[Asked]:
    """The requests of a table that are not on record.

    Args:
        known: all requests on record, by whatever way they came.
        phones: ten digits each, shape (n,).
        moments: when each asked, datetime64[us] in UTC, NaT where that is not known; shape (n,).
        table: its name, which becomes the requests' source.
        now: moments after it lie ahead.
    """
    on_record = len(known.phones)
    phone = np.concatenate([known.phones, phones])
    moment = np.concatenate([known.moments, moments.astype(np.int64)])
    is_row = np.arange(len(phone)) >= on_record
    order = np.lexsort((is_row, moment, phone))  # of equals, what is on record comes first
    first = np.ones(len(order), np.bool_)
    first[1:] = (np.diff(phone[order]) != 0) | (np.diff(moment[order]) != 0)
    starts = np.flatnonzero(first)
    group = np.cumsum(first) - 1
    recorded = np.add.reduceat(~is_row[order], starts, dtype=np.int64)
    place = np.arange(len(order)) - starts[group]
    # rows are news from the place on that is twice as many as are on record
    new = np.sort(order[is_row[order] & (place >= 2 * recorded[group])])
    latest = micros(now)
    asked = [
        _asked(number, told, latest, table)
        for number, told in zip(phone[new].tolist(), moment[new].tolist(), strict=True)
    ]
    return asked + _once_more(known, phone[new], moment[new], phones, moments, table=table)


def _once_more(  # noqa: PLR0913  news, and what they are of
    known: OnRecord,
    new_phones: NDArray[np.int64],
    new_moments: NDArray[np.int64],
    phones: NDArray[np.int64],
    moments: NDArray[np.datetime64],
    *,
    table: str,
) -> list[Asked]:
    """Requests on record that an opt-in of their day may have come before, each once."""
    if not known.again:
        return []
    at = np.flatnonzero(np.isin(phones, [phone for phone, _ in known.again]))
    rows = set(zip(phones[at].tolist(), moments[at].astype(np.int64).tolist(), strict=True))
    told = set(zip(new_phones.tolist(), new_moments.tolist(), strict=True))
    return [
        Asked(phone, received=from_micros(moment), source=table, note=AGAIN)
        for phone, moment in sorted((rows & known.again) - told)
    ]


def _asked(phone: int, moment: int, latest: int, table: str) -> Asked:
    if moment == _NO_MOMENT:
        return Asked(phone, source=table, note=UNDATED)
    if moment > latest:
        return Asked(phone, source=table, note=f"{AHEAD}{from_micros(moment).isoformat()}")
    return Asked(phone, received=from_micros(moment), source=table)


def _moment(request: Request, table: str) -> int:
    """The moment that the row of a request on record has."""
    if request.source == table and request.note == UNDATED:
        return _NO_MOMENT
    if request.source == table and request.note.startswith(AHEAD):
        return micros(parse_moment(request.note.removeprefix(AHEAD)))
    return request.effective
