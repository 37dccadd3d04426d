"""Snapshots by the S3 protocol, from a server that speaks it, in a process of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import s3fs

from etl_dagster.dnc import DncCorruptError, DncError, DncStore
from etl_dagster.dnc.places import Place
from etl_dagster.dnc.snapshot_export import export_snapshot, in_force
from etl_dagster.dnc.snapshot_fetch import fetch_snapshot
from etl_dagster_tests.dnc.support import Clock, ask, verdict

CLEAR = 4075550199
SERVER = """
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
server.start()
print("port", server.get_host_and_port()[1], flush=True)
server._thread.join()
"""


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A bucket; the environment says where, as S3 clients know it."""
    before = dict(os.environ)
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout
        port = next(found[1] for line in server.stdout if (found := re.match(r"port (\d+)", line)))
        os.environ.update(
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
            AWS_ACCESS_KEY_ID="testing",
            AWS_SECRET_ACCESS_KEY="hunter2",
            AWS_DEFAULT_REGION="us-east-1",
        )
        s3fs.S3FileSystem().mkdir("lists")
        yield "s3://lists/dnc"
        server.kill()
    os.environ.clear()
    os.environ.update(before)


def test_a_store_goes_through_a_bucket(
    s3: str, store: DncStore, clock: Clock, tmp_path: Path
) -> None:
    place, path = Place(f"{s3}/whole"), tmp_path / "r" / "dnc.sqlite"
    first = export_snapshot(store.path, place, clock=clock)
    assert first.uploaded == first.snapshot.size
    assert export_snapshot(store.path, place, clock=clock).uploaded == 0
    assert fetch_snapshot(path, Place(f"{s3}/whole"), clock=clock).changed
    store.opt_out([CLEAR])
    done = export_snapshot(store.path, place, keep=1, clock=clock)
    assert (done.uploaded > 0, done.removed) == (True, 1)
    assert fetch_snapshot(path, place, clock=clock).changed
    assert not fetch_snapshot(path, place, clock=clock).changed
    with DncStore.open(path, clock=clock) as replica:
        assert verdict(replica, CLEAR) == "LISTED"
        assert ask(replica, [CLEAR]).list_versions == "internal@1;national@1"
    digest = done.snapshot.digest
    assert place.names("snapshots") == [f"{digest}.json", f"{digest}.sqlite"]
    assert place.names("") == ["current.json", "snapshots"]


def test_a_damaged_object_is_not_fetched(
    s3: str, store: DncStore, clock: Clock, tmp_path: Path
) -> None:
    place, path = Place(f"{s3}/damaged"), tmp_path / "r" / "dnc.sqlite"
    snapshot = export_snapshot(store.path, place, clock=clock).snapshot
    files, at = s3fs.S3FileSystem(), f"lists/dnc/damaged/{snapshot.path}"
    content = bytearray(files.cat_file(at))
    content[5_000] ^= 1
    files.pipe_file(at, bytes(content))
    with pytest.raises(DncCorruptError, match="has not the digest"):
        fetch_snapshot(path, place, clock=clock)
    files.pipe_file(at, bytes(content[:-10]))
    with pytest.raises(DncError, match="bytes"):
        fetch_snapshot(path, place, clock=clock)
    files.rm_file(at)
    with pytest.raises(DncError, match="is not there"):
        fetch_snapshot(path, place, clock=clock)
    assert not path.exists()
    assert export_snapshot(store.path, place, clock=clock).uploaded > 0
    assert fetch_snapshot(path, place, clock=clock).changed


def test_a_bucket_that_is_not_there_is_told(s3: str, store: DncStore, clock: Clock) -> None:
    del s3
    place = Place("s3://nowhere/dnc")
    with pytest.raises(DncError, match=r"s3://nowhere/dnc/.*bucket") as told:
        export_snapshot(store.path, place, clock=clock)
    assert "hunter2" not in str(told.value)
    assert in_force(place) is None
