"""Which opt-outs of a table are not on record yet.

Belongs here: the difference between a table's rows and the requests on record. Does not: reading
the table (`warehouse/opt_outs.py`), writing requests (`opt_outs.py`).

A row is known by its phone and moment. So reading a table again records nothing; a row that comes
late is not missed, as it would be by a watermark; and a phone that was opted in again stays so
until there is a row of another moment. Where the moment is missing, or lies ahead, the request
counts from when it is recorded, and its note keeps what the row said.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc.moments import from_micros, micros, parse_moment
from etl_dagster.dnc.opt_outs import Asked
from etl_dagster.dnc.requests import OPT_OUT, Request

UNDATED: Final = "the table has no moment for it"
AHEAD: Final = "the table dates it ahead: "
_NO_MOMENT: Final = np.iinfo(np.int64).min
"""How numpy stores "not a time"."""


def new_requests(
    known: Iterable[Request],
    phones: NDArray[np.int64],
    moments: NDArray[np.datetime64],
    *,
    table: str,
    now: datetime,
) -> list[Asked]:
    """The requests of a table that are not on record, each once.

    Args:
        known: all requests on record, by whatever way they came.
        phones: ten digits each, shape (n,).
        moments: when each asked, datetime64[us] in UTC, NaT where that is not known; shape (n,).
        table: its name, which becomes the requests' source.
        now: moments after it lie ahead.
    """
    pairs = [
        (request.phone, _moment(request, table)) for request in known if request.action == OPT_OUT
    ]
    on_record = np.array(pairs, np.int64).reshape(-1, 2)
    phone = np.concatenate([on_record[:, 0], phones])
    moment = np.concatenate([on_record[:, 1], moments.astype(np.int64)])
    is_row = np.arange(len(phone)) >= len(on_record)
    order = np.lexsort((is_row, moment, phone))  # of equals, what is on record comes first
    first = np.ones(len(order), np.bool_)
    first[1:] = (np.diff(phone[order]) != 0) | (np.diff(moment[order]) != 0)
    new = np.sort(order[first & is_row[order]])
    latest = micros(now)
    return [
        _asked(number, told, latest, table)
        for number, told in zip(phone[new].tolist(), moment[new].tolist(), strict=True)
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
