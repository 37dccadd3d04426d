"""The stand-ins as tests meet them: CCC in a thread, and what is true of one phone."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator

import numpy as np
import uvloop

from etl_dagster.sandbox import lists
from etl_dagster.sandbox.ccc_answers import litigators
from etl_dagster.sandbox.ccc_server import Server
from etl_dagster.sandbox.ccc_service import CccSandbox
from etl_dagster.sandbox.sidecar_server import HOST


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


def is_listed(phone: int, *, numbers: int = lists.NUMBERS) -> frozenset[str]:
    """Name the sample lists that hold this phone."""
    one = np.array([phone], dtype=np.int64)
    found = {
        lists.NATIONAL: lists.listed_nationally(one, numbers=numbers),
        lists.STATE: lists.listed_by_state(one),
        lists.INTERNAL: lists.listed_internally(one),
    }
    return frozenset(name for name, mask in found.items() if mask[0])


def is_covered(phone: int) -> bool:
    """Tell whether the national list covers this phone's area code."""
    return bool(lists.covered(np.array([phone], dtype=np.int64))[0])
