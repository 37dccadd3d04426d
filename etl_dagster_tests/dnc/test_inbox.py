import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from etl_dagster.dnc import DncFormatError, inbox

Put = Callable[..., Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Put a file into the inbox, so many seconds ago."""

    def make(name: str, *, ago: float = 60.0, text: str = "4075550100\n") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        moment = time.time() - ago
        os.utime(path, (moment, moment))
        return path

    return make


@pytest.mark.parametrize(
    ("name", "list_name", "changes"),
    [
        ("national@2026-11-20.zip", "national", False),
        ("national@2026-11-20", "national", False),
        ("national@2026-11-20.changes.csv", "national", True),
        ("national@2026-11-20-part2.CHANGES.txt", "national", True),
        ("state_fl@2026-11-20_407.xml", "state_fl", False),
        ("partner2@2026-11-20.txt", "partner2", False),
    ],
)
def test_a_name_says_list_and_date(
    put: Put, tmp_path: Path, name: str, list_name: str, *, changes: bool
) -> None:
    path = put(name)
    (file,) = inbox.pending(tmp_path)
    assert (file.list, file.changes, file.path) == (list_name, changes, path)
    assert file.as_of == datetime(2026, 11, 20, tzinfo=UTC)
    assert inbox.nameless(tmp_path) == []


@pytest.mark.parametrize(
    "name",
    [
        "national.zip",
        "national@2026-13-01.zip",
        "national@2026-11-31.zip",
        "National@2026-11-20.zip",
        "@2026-11-20.zip",
        "national@20261120.zip",
        "national@2026-11-20zip",
        "national@\u0662\u0660\u0662\u0666-11-20.zip",
    ],
)
def test_other_names_wait_for_somebody_to_name_them(put: Put, tmp_path: Path, name: str) -> None:
    path = put(name)
    assert inbox.pending(tmp_path) == []
    assert inbox.nameless(tmp_path) == [path]
    assert inbox.waiting(tmp_path) == [path]


@pytest.mark.parametrize(
    ("name", "ago"),
    [
        (".national@2026-11-20.zip", 60),
        ("national@2026-11-20.zip.part", 60),
        ("national@2026-11-20.zip.TMP", 60),
        ("national@2026-11-20.crdownload", 60),
        ("national@2026-11-20.zip", 0),  # written to a moment ago
    ],
)
def test_a_file_that_is_still_being_copied_is_left_alone(
    put: Put, tmp_path: Path, name: str, ago: float
) -> None:
    put(name, ago=ago)
    assert inbox.pending(tmp_path) == []
    assert inbox.nameless(tmp_path) == inbox.waiting(tmp_path) == []


def test_a_file_counts_as_whole_once_it_has_rested(put: Put, tmp_path: Path) -> None:
    path = put("national@2026-11-20.zip", ago=0)
    written = path.stat().st_mtime
    assert inbox.waiting(tmp_path, now=written + inbox.SETTLED_SECONDS - 0.1) == []
    assert inbox.waiting(tmp_path, now=written + inbox.SETTLED_SECONDS) == [path]


def set_done(path: Path) -> Path:
    """Deal with a file that nobody writes to meanwhile."""
    return inbox.set_done(path, inbox.stamp(path))


def test_a_file_of_a_date_to_come_has_arrived_all_the_same(put: Put, tmp_path: Path) -> None:
    path = put("stop.csv", ago=-86_400)  # by the clock of its sender, or by the time of an archive
    arrived = path.stat().st_ctime
    assert inbox.waiting(tmp_path, now=arrived + inbox.SETTLED_SECONDS - 0.1) == []
    assert inbox.waiting(tmp_path, now=arrived + inbox.SETTLED_SECONDS) == [path]


def test_what_is_written_to_after_it_was_dealt_with_comes_back(put: Put, tmp_path: Path) -> None:
    path, other = put("stop.csv"), put("other.csv")
    with path.open("a", encoding="utf-8") as sender:
        done = set_done(path)
        set_done(other)
        assert inbox.waiting(tmp_path, now=np.inf) == []
        again = put("stop.csv", text="another file of the name")
        sender.write("4075550101\n")
    back = tmp_path / "1-stop.csv"
    assert inbox.waiting(tmp_path, now=np.inf) == [back, again]
    assert back.read_text() == "4075550100\n4075550101\n"
    assert not done.exists()
    assert inbox.waiting(tmp_path) == [again]  # until it has rested
    set_done(back)
    assert inbox.waiting(tmp_path, now=np.inf) == [again]


def test_what_is_written_to_and_then_dated_by_its_sender_comes_back(
    put: Put, tmp_path: Path
) -> None:
    path, other = put("stop.csv"), put("other.csv")
    with path.open("a", encoding="utf-8") as sender:
        done = set_done(path)
        set_done(other)
        sender.write("4075550101\n")
        sender.flush()
        hour_ago = time.time() - 3600
        os.utime(sender.fileno(), (hour_ago, hour_ago))  # as `scp -p` does at its end
    assert inbox.waiting(tmp_path, now=np.inf) == [path]
    assert path.read_text() == "4075550100\n4075550101\n"
    assert not done.exists()
    read = inbox.stamp(path)
    with path.open("a", encoding="utf-8") as sender:  # between reading and moving
        sender.write("4075550102\n")
    inbox.set_done(path, read)
    assert inbox.waiting(tmp_path, now=np.inf) == [path]
    set_done(path)
    assert inbox.waiting(tmp_path, now=np.inf) == []
    for file in inbox.done_before(tmp_path, datetime.now(UTC) + timedelta(hours=1)):
        inbox.remove_done(file)
    assert not list((tmp_path / inbox.DONE).iterdir())


def test_nothing_comes_back_through_a_link(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret").write_text("just written")
    box = tmp_path / "box"
    box.mkdir()
    (box / inbox.DONE).symlink_to(elsewhere)
    assert inbox.waiting(box, now=np.inf) == []
    (box / inbox.DONE).unlink()
    (box / inbox.DONE).mkdir()
    (box / inbox.DONE / "link").symlink_to(elsewhere / "secret")
    assert inbox.waiting(box, now=np.inf) == []


def test_files_come_in_the_order_of_their_dates_full_lists_before_changes(
    put: Put, tmp_path: Path
) -> None:
    names = [
        "zeta@2026-11-19.txt",
        "national@2026-11-20.zip",
        "national@2026-11-20.changes.csv",
        "alpha@2026-11-21.txt",
    ]
    for name in reversed(names):
        put(name)
    assert [file.path.name for file in inbox.pending(tmp_path)] == names


def test_no_folder_is_an_empty_inbox_and_folders_in_it_are_no_files(tmp_path: Path) -> None:
    assert inbox.pending(tmp_path / "none") == []
    (tmp_path / "national@2026-11-20.zip").mkdir()
    assert inbox.waiting(tmp_path) == []


def test_files_that_were_dealt_with_move_and_never_replace_one_another(
    put: Put, tmp_path: Path
) -> None:
    first = set_done(put("national@2026-11-20.zip", text="1"))
    second = set_done(put("national@2026-11-20.zip", text="2"))
    third = set_done(put("national@2026-11-20.zip", text="3"))
    assert [one.name for one in (first, second, third)] == [
        f"{before}national@2026-11-20.zip" for before in ("", "1-", "2-")
    ]
    assert first.parent == second.parent == third.parent == tmp_path / inbox.DONE
    assert [one.read_text() for one in (first, second, third)] == ["1", "2", "3"]
    assert inbox.waiting(tmp_path) == []


def test_a_file_set_aside_has_its_reason_beside_it(put: Put, tmp_path: Path) -> None:
    moved = inbox.set_aside(put("national@2026-11-20.zip"), DncFormatError("no list"))
    assert moved.parent == tmp_path / inbox.REJECTED
    assert moved.with_name(moved.name + inbox.REASON).read_text() == "no list\n"
    assert inbox.rejected(tmp_path) == [moved]


def test_nothing_is_rejected_where_nothing_was(tmp_path: Path) -> None:
    assert inbox.rejected(tmp_path) == []


def test_a_fingerprint_changes_with_the_files_and_not_with_their_order(put: Put) -> None:
    one, two = put("a@2026-11-20", ago=60), put("b@2026-11-20", ago=61)
    before = inbox.fingerprint([one, two])
    assert inbox.fingerprint([two, one]) == before
    assert inbox.fingerprint([one]) != before
    os.utime(two, (1, 1))
    assert inbox.fingerprint([one, two]) != before


def test_a_file_that_is_moved_while_ages_are_told_is_left_out(put: Put, tmp_path: Path) -> None:
    put("a.txt")
    put("b.txt")
    seen = inbox.waiting(tmp_path, now=float("inf"))
    set_done(tmp_path / "a.txt")
    assert len(seen) == 2
    written = (tmp_path / "b.txt").stat().st_mtime
    assert inbox.arrivals(seen) == [datetime.fromtimestamp(written, UTC)]


def test_a_link_is_not_followed_to_what_the_sender_may_not_read(put: Put, tmp_path: Path) -> None:
    secret = put("secret")
    link = tmp_path / "national@2026-11-20.txt"
    link.symlink_to(secret)
    with pytest.raises(DncFormatError, match="is a link") as refusal:
        inbox.stamp(link)
    rejected = tmp_path / inbox.REJECTED
    rejected.mkdir()
    (rejected / f"{link.name}{inbox.REASON}").symlink_to(secret)
    assert inbox.set_aside(link, refusal.value).is_symlink()
    assert secret.read_text() == "4075550100\n"
    assert "is a link" in (rejected / f"{link.name}{inbox.REASON}").read_text()


def test_messages_show_names_without_control_characters_and_phones(put: Put) -> None:
    path = put("\x1b[2J\n4075550100@2026.txt")
    assert inbox.shown(path) == "\ufffd[2J\ufffd**********@2026.txt"
    assert str(DncFormatError(path.name)) == inbox.shown(path)


def test_no_file_is_moved_through_a_link(put: Put, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / inbox.DONE).symlink_to(elsewhere)
    path = put("4075550100")
    with pytest.raises(DncFormatError, match="is a link"):
        set_done(path)
    assert path.exists()
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize("phone", ["14075550100", "407-555-0100", "(407) 555-0100", "x4075550100x"])
def test_a_phone_in_a_name_is_masked_however_it_is_written(phone: str) -> None:
    assert "0100" not in str(DncFormatError(f"{phone}.csv"))


def test_what_was_dealt_with_before_a_moment_is_named_and_links_are_not(
    put: Put, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    assert inbox.done_before(tmp_path, now + timedelta(hours=1)) == []
    for name in ("b.txt", "a.txt"):
        set_done(put(name))
    done = tmp_path / inbox.DONE
    (done / "link").symlink_to(done / "a.txt")
    (done / "folder").mkdir()
    found = inbox.done_before(tmp_path, now + timedelta(hours=1))
    assert found == [done / "a.txt", done / "b.txt"]
    assert inbox.done_before(tmp_path, now - timedelta(hours=1)) == []
