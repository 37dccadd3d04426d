"""Files of an inbox that change while they are loaded."""

from pathlib import Path

from etl_dagster.defs.dnc import load_files
from etl_dagster.dnc import DncStore, LoadResult, inbox
from etl_dagster.progress import ProgressLogger


def test_a_file_that_is_written_to_while_it_is_read_stays_to_be_read_again(tmp_path: Path) -> None:
    file, step = tmp_path / "stop.csv", ProgressLogger("step")
    file.write_text("phone\n4075550100\n")
    with DncStore.create(tmp_path / "dnc.sqlite") as store:

        def load(more: str = "") -> LoadResult:
            loaded = store.opt_out_file(file, source="test")
            with file.open("a") as sender:
                sender.write(more)
            return loaded

        load_files(step, [(file, lambda: load("4075550101\n"))])
        assert file.exists()
        load_files(step, [(file, load)])
        (internal,) = [one for one in store.stats() if one.kind == "internal"]
    assert internal.numbers == 2
    assert (tmp_path / inbox.DONE / file.name).exists()
