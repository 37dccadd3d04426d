"""The embedded Snowflake: a local server that the real connector talks to, with lasting data.

Belongs here: how that server is started (:func:`start_snowflake`, cheap to import and to call), and
its process (``python -m etl_dagster.sandbox.snowflake --home DIR``): one DuckDB instance behind
fakesnow's HTTP server. Does not: the repairs of fakesnow, all in
:mod:`~etl_dagster.sandbox.snowflake_patches`.

Data live in ``<home>/snowflake/data``, one file a database. What was committed outlives the
process however it ends: the next start attaches every file, which replays its write-ahead log.
There is no authentication, hence loopback only, and a folder that only its owner may enter.
"""

import shutil
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from etl_dagster.sandbox import sidecar, sidecar_server
from etl_dagster.sandbox.sidecar_folder import Sidecar

NAME = "snowflake"
IDLE_SECONDS = 1800.0
THREADS = 2
MEMORY_LIMIT = "4GB"

# Administration that real accounts need and one local user does not.
_IGNORED_STATEMENTS = [
    r"\s*alter\s+session\b",
    r"\s*(grant|revoke)\b",
    r"\s*(create|alter|drop)\s+(or\s+replace\s+)?(warehouse|role)\b",
    r"\s*use\s+(warehouse|role|secondary\s+roles)\b",
]


def start_snowflake(home: Path) -> Sidecar:
    """Return the embedded Snowflake of ``home``, started if it does not run.

    Args:
        home: Folder that holds all local state.

    Raises:
        SidecarError: It cannot be started.
    """
    module = "etl_dagster.sandbox.snowflake"
    command = [sys.executable, "-m", module, "--home", str(home.resolve())]
    return sidecar.ensure(NAME, home, command)


@click.command()
@click.option("--home", type=click.Path(path_type=Path), required=True)
@click.option("--without", multiple=True, help="A repair to leave out, to show what it does.")
def main(home: Path, without: tuple[str, ...]) -> None:
    """Be the embedded Snowflake of HOME until stopped or idle."""
    engine = partial(_engine, without=without)
    sidecar_server.serve(engine, name=NAME, home=home, idle_seconds=IDLE_SECONDS)


@contextmanager
def _engine(folder: Path, *, without: Collection[str]) -> Iterator[sidecar_server.ASGIApp]:
    """Open every database of the folder behind fakesnow's application; close them at the end."""
    # Only the process that serves needs these: together they take a second to import.
    from fakesnow.instance import FakeSnow  # noqa: PLC0415
    from fakesnow.transforms import stage  # noqa: PLC0415

    from etl_dagster.sandbox import snowflake_patches, snowflake_routes  # noqa: PLC0415

    data, scratch = folder / "data", folder / "scratch"
    data.mkdir(exist_ok=True)
    shutil.rmtree(scratch, ignore_errors=True)  # a killed predecessor's
    scratch.mkdir()
    shutil.rmtree(stage.LOCAL_BUCKET_PATH)  # made at import, in the folder for temporary files
    stage.LOCAL_BUCKET_PATH = str(scratch / "stages")
    snowflake_patches.apply(without=without)

    server = snowflake_routes.server
    server.shared_fs.duck_conn.close()
    instance = FakeSnow(db_path=data, nop_regexes=_IGNORED_STATEMENTS)
    server.shared_fs = instance
    for setting, value in {
        "threads": THREADS,
        "memory_limit": f"'{MEMORY_LIMIT}'",
        "temp_directory": f"'{scratch / 'spill'}'",
        # the log makes a commit last; folding it into the file at every 16 MB only takes time
        "checkpoint_threshold": "'8GB'",
    }.items():
        instance.duck_conn.execute(f"SET GLOBAL {setting} = {value}")
    for database in sorted(data.glob("*.db")):
        instance.connect(database=database.stem).close()
    # As on Snowflake, naming what does not exist makes nothing.
    instance.create_database_on_connect = instance.create_schema_on_connect = False
    try:
        yield server.app
    finally:
        for session in list(server.sessions.values()):
            snowflake_routes.interrupt(session)
        instance.duck_conn.close()
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
