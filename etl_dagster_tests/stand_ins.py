"""The stand-ins as tests meet them: CCC in a thread, and what is true of phones.

Which phones the sample's lists hold is told by arithmetic of its own: an oracle that shared the
code that writes or reads lists would agree with its mistakes.
"""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator, Sequence

import numpy as np
import uvloop
from numpy.typing import NDArray

from etl_dagster.sandbox import draws, lists
from etl_dagster.sandbox.ccc_answers import litigators
from etl_dagster.sandbox.ccc_server import Server
from etl_dagster.sandbox.ccc_service import CccSandbox
from etl_dagster.sandbox.geography import AREA_CODES, STATES
from etl_dagster.sandbox.lists import Phones
from etl_dagster.sandbox.sidecar_server import HOST

Mask = NDArray[np.bool_]


@contextlib.contextmanager
def in_thread(service: CccSandbox, *, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve from a thread of this process while the context lasts; gives the address."""
    loop = uvloop.new_event_loop()
    server = Server(service, tls=tls)
    loop.run_until_complete(server.open())
    thread = threading.Thread(target=loop.run_forever, name="ccc-sandbox", daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://{HOST}:{server.port}"
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def is_litigator(phone: int) -> bool:
    """Tell whether ``phone`` belongs to a litigator."""
    return bool(litigators(np.array([phone], dtype=np.int64))[0])


def listed_nationally(phones: Phones, *, numbers: int = lists.NUMBERS) -> Mask:
    """Tell which phones the sample's national list of that size holds."""
    area_code, subscriber = phones // 10_000_000, phones % 10_000
    place = ((1 + 10 * (37 * area_code % 997)) * subscriber + 7_919 * area_code) % 10_000
    depth = -(-numbers // (len(AREA_CODES) - len(lists.UNCOVERED)))
    return _fictional(phones, AREA_CODES) & covered(phones) & (place < depth)


def listed_by_state(phones: Phones) -> Mask:
    """Tell which phones the sample's state list holds."""
    florida = next(state for state in STATES if state.code == "FL")
    drawn = draws.happens(phones.astype(np.uint64), "state list", lists.SHARE_STATE)
    return _fictional(phones, florida.area_codes) & drawn


def listed_internally(phones: Phones) -> Mask:
    """Tell which phones of the sample opted out."""
    drawn = draws.happens(phones.astype(np.uint64), "opt-out", lists.SHARE_INTERNAL)
    return _fictional(phones, AREA_CODES) & drawn


def covered(phones: Phones) -> Mask:
    """Tell of which phones the sample's national list can say anything."""
    return np.isin(phones // 10_000_000, [*{*AREA_CODES} - lists.UNCOVERED])


def _fictional(phones: Phones, area_codes: Sequence[int]) -> Mask:
    return np.isin(phones // 10_000_000, area_codes) & (phones // 10_000 % 1_000 == 555)


def is_listed(phone: int, *, numbers: int = lists.NUMBERS) -> frozenset[str]:
    """Name the sample lists that hold this phone."""
    one = np.array([phone], dtype=np.int64)
    found = {
        lists.NATIONAL: listed_nationally(one, numbers=numbers),
        lists.STATE: listed_by_state(one),
        lists.INTERNAL: listed_internally(one),
    }
    return frozenset(name for name, mask in found.items() if mask[0])


def is_covered(phone: int) -> bool:
    """Tell whether the national list covers this phone's area code."""
    return bool(covered(np.array([phone], dtype=np.int64))[0])
