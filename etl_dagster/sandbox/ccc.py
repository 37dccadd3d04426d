"""The CCC sandbox: a real HTTP server that speaks the documented protocol of its scrubs.

Belongs here: its process. Does not: starting it as the sidecar ``ccc``
(:mod:`~etl_dagster.sandbox.ccc_start`), what it answers (:mod:`~etl_dagster.sandbox.ccc_service`).
"""

import asyncio
import os
import signal
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import uvloop

from etl_dagster.sandbox import sidecar_folder
from etl_dagster.sandbox.ccc_server import Server
from etl_dagster.sandbox.ccc_service import CccSandbox, CccSandboxOptions
from etl_dagster.sandbox.ccc_start import NAME
from etl_dagster.sandbox.sidecar_folder import Sidecar
from etl_dagster.sandbox.sidecar_server import HOST


async def _serve(service: CccSandbox, folder: Path, idle_seconds: float) -> None:
    server = Server(service)
    await server.open()
    url = f"http://{HOST}:{server.port}"
    identity = Sidecar(name=NAME, host=HOST, port=server.port, pid=os.getpid(), url=url)
    service.identity = asdict(identity)
    sidecar_folder.announce(folder, identity)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    while not stopped.is_set():
        remaining = service.idle_since + idle_seconds - time.monotonic()
        if idle_seconds and remaining <= 0:
            break
        try:
            await asyncio.wait_for(stopped.wait(), remaining if idle_seconds else None)
        except TimeoutError:
            continue
    server.close()


@click.command()
@click.option("--home", type=click.Path(path_type=Path), required=True)
@click.option("--idle", default=0.0, help="Stop after so many seconds without a request.")
@click.option("--latency-ms", default=50.0)
@click.option("--jitter", default=0.1)
@click.option("--requests-per-minute", default=1_000)
@click.option("--track-phones/--no-track-phones", default=True)
def main(home: Path, idle: float, **options: Any) -> None:
    """Be the CCC sandbox of HOME until stopped."""
    service = CccSandbox(CccSandboxOptions(**options))
    folder = sidecar_folder.make(home, NAME)
    with sidecar_folder.hold(folder):
        uvloop.run(_serve(service, folder, idle))


if __name__ == "__main__":
    main()
