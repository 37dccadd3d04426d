"""Every format that lists come in, and everything that only looks like one."""

import io
import os
import sqlite3
import time
import zipfile
from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_dagster.dnc import DncFormatError, DncRefusedError, DncStore, DncUsageError, formats
from etl_dagster.dnc.moments import parse_moment
from etl_dagster.dnc.sources import Member
from etl_dagster_tests.dnc.support import NOW, PHONES, ago, numbers, write_list

COMMA = "".join(f"{p // 10**7},{p % 10**7:07d}\n" for p in PHONES)
DIGITS = "".join(f"{p}\n" for p in PHONES)
XML = (
    "<?xml version='1.0'?><list type='full'><ac val='407'>"
    + "".join(f"<ph val='{p % 10**7:07d}'/>" for p in PHONES)
    + "</ac></list>"
)
CSV = "id,Phone,name\n" + "".join(f'{i},"{p}","a, b"\n' for i, p in enumerate(PHONES))
LOADABLE = {
    "comma": COMMA,
    "digits": DIGITS,
    "mixed": COMMA[: 12 * 10] + DIGITS[11 * 10 :],
    "crlf": COMMA.replace("\n", "\r\n"),
    "no-newline-at-the-end": COMMA.rstrip(),
    "blank-lines": "\n\n" + COMMA.replace("\n", "\n\n"),
    "byte-order-mark": "\ufeff" + DIGITS,
    "people": "".join(f"({p // 10**7}) {p // 10**4 % 1000}-{p % 10**4:04d}\n" for p in PHONES),
    "xml": XML,
    "csv": CSV,
    "csv-one-column": "phone\n" + DIGITS,
    "csv-blank-rows": "phone\n\n" + DIGITS.replace("\n", "\n\n"),
    "csv-quoted-late": 'id, "Phone"\n' + "".join(f'1, "{p}"\n' for p in PHONES),
    "xml-of-no-type": XML.replace(" type='full'", " val='FL'"),
}


@pytest.mark.parametrize("form", LOADABLE)
@pytest.mark.parametrize("zipped", [False, True])
def test_every_format_gives_the_same_list(
    empty: DncStore, tmp_path: Path, form: str, *, zipped: bool
) -> None:
    path = tmp_path / f"list.{form}"
    if zipped:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("list.txt", LOADABLE[form])
    else:
        path.write_text(LOADABLE[form])
    result = empty.add_list("national", [path], as_of=NOW)
    assert (result.numbers, result.lines, result.malformed) == (20, 20, 0)
    assert numbers(empty) == set(PHONES)


def test_several_files_and_several_members_are_one_version(empty: DncStore, tmp_path: Path) -> None:
    archive = tmp_path / "two.zip"
    with zipfile.ZipFile(archive, "w") as two:
        two.writestr("407.txt", COMMA)
        two.writestr("folder/321.xml", XML.replace("407", "321"))
    other = write_list(tmp_path / "212.txt", [2125550100])
    result = empty.add_list("national", [archive, other], as_of=NOW)
    assert (result.version, result.numbers, result.area_codes) == (1, 41, 3)


def test_what_cannot_be_read_is_counted_over_all_files(empty: DncStore, tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.txt", tmp_path / "good.txt"
    bad.write_text("4075550100\nnobody\n4075550101\n")
    good.write_text("4075550102\n4075550103\n")
    for paths in ([bad, good], [good, bad]):
        with pytest.raises(DncRefusedError, match=r"1 of 5 lines .* the first: bad\.txt:2 "):
            empty.add_list("national", paths, as_of=NOW)


def test_a_named_csv_column_is_read(empty: DncStore, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("phone,Blocked Number\n4075550198,4075550111\n4075550199,(407) 555-0112\n")
    empty.add_list("partner", [path], as_of=NOW, column="blocked number")
    assert numbers(empty, "partner") == {4075550111, 4075550112}


def test_a_csv_column_that_only_sounds_as_if_it_held_phones_stops_no_list(
    empty: DncStore, tmp_path: Path
) -> None:
    path = tmp_path / "list.csv"
    path.write_text("phone,phone_type,Fax\n4075550111,mobile,\n4075550112,land line\n")
    assert empty.add_list("partner", [path], as_of=NOW).numbers == 2


REFUSED = {
    "complaint": (
        '"Company_Phone_Number","Created_Date","Violation_Date"\n"4075550100","2026-09-01",""\n',
        "complaint file",
    ),
    "complaint-of-a-date": ("Phone,Violation Date\n4075550100,2026-09-01\n", "complaint file"),
    "complaint-of-a-company": ("phone,company phone number\n4075550100,\n", "complaint file"),
    "complaint-of-a-recording": ("Phone,Or Robocall\n4075550100,Y\n", "complaint file"),
    "changes": ("4075550100,2026-08-29T08:00:00,A\n", "change list"),
    "unknown": ("----\n====\n", "no known format"),
    "html": ("<html><body>Login</body></html>", "no phone|not well-formed"),
    "binary": ("407\x00555", "not text"),
    "empty": ("", "empty"),
    "blank": ("  \n\n", "empty"),
    "no-header": ("ann,4075550100\nbob,4075550101\n", "no header"),
    "no-column": ("id,name\n1,x\n", "no column"),
    "half-a-phone": ("407,55501A0\n407,5550101\n", r"no column .*header \(\)"),
    "two-columns": (
        "phone,telephone\n4075550100,4075550101\n",
        r":2 has phones in more than one column \(phone, telephone\)",
    ),
    "two-columns-late": (
        "Cell Phone,id,Phone\n,1,4075550100\n407 555-0102,2,4075550101\n",
        r":3 has phones in more than one column \(Phone, Cell Phone\)",
    ),
    "xml-changes": (XML.replace("full", "change"), "list of type 'change'"),
    "broken-xml": (XML[:-20], "not well-formed"),
    "entities": (
        "<!DOCTYPE list [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]>" + XML.split("?>")[1],
        "document type",
    ),
}


@pytest.mark.parametrize("form", REFUSED)
def test_what_only_looks_like_a_list_is_refused_by_name(
    empty: DncStore, tmp_path: Path, form: str
) -> None:
    text, expected = REFUSED[form]
    path = tmp_path / "list.txt"
    path.write_text(text)
    with pytest.raises(DncFormatError, match=f"list.txt.*({expected})|({expected}).*list.txt"):
        empty.add_list("national", [path], as_of=NOW)
    assert "national" not in [one.list for one in empty.stats()]


def test_an_sqlite_database_is_sent_to_the_import(empty: DncStore, tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    sqlite3.connect(path).execute("CREATE TABLE dnc_list (full_phone TEXT)").connection.close()
    with pytest.raises(DncFormatError, match="import-legacy"):
        empty.add_list("national", [path], as_of=NOW)


def test_archives_that_are_traps_are_refused(empty: DncStore, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("list.txt", b"4075550100\n" * 7_000_000)
    with pytest.raises(DncFormatError, match="unpacks to far more"):
        empty.add_list("national", [bomb], as_of=NOW)
    nested = tmp_path / "nested.zip"
    with zipfile.ZipFile(nested, "w") as archive:
        archive.write(bomb, "bomb.zip")
    with pytest.raises(DncFormatError, match="inside a zip"):
        empty.add_list("national", [nested], as_of=NOW)
    hollow = tmp_path / "hollow.zip"
    zipfile.ZipFile(hollow, "w").close()
    with pytest.raises(DncFormatError, match="0 files"):
        empty.add_list("national", [hollow], as_of=NOW)


def test_damaged_and_encrypted_archives_are_refused(empty: DncStore, tmp_path: Path) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("list.txt", DIGITS)
    data = bytearray(whole.getvalue())
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(data[:45] + bytes([data[45] ^ 0xFF]) + data[46:])
    with pytest.raises(DncFormatError, match="damaged zip"):
        empty.add_list("national", [damaged], as_of=NOW)
    central = data.rindex(b"PK\1\2")
    data[6] |= 1
    data[central + 8] |= 1
    locked = tmp_path / "locked.zip"
    locked.write_bytes(data)
    with pytest.raises(DncFormatError, match="encrypted"):
        empty.add_list("national", [locked], as_of=NOW)


CUT = {
    "flat": "".join(f"{p}\n" for p in range(4075560000, 4075562001))[:-4],
    "comma": "".join(f"407,{p}\n" for p in range(5560000, 5562001))[:-9] + " ",
    "csv": "id,phone\n" + "".join(f"1,{p}\n" for p in range(4075560000, 4075562001))[:-12],
    "changes": "".join(f"{p},2026-09-10T08:00:00,A\n" for p in range(4075560000, 4075562001))[:-2],
    "crlf": "".join(f"{p}\r\n" for p in range(4075560000, 4075562001))[:-3],
}


@pytest.mark.parametrize("form", CUT)
def test_a_list_that_ends_in_the_middle_of_a_line_is_refused(
    store: DncStore, tmp_path: Path, form: str
) -> None:
    path = tmp_path / f"x.{form}"
    load = store.apply_changes if form == "changes" else partial(store.add_list, as_of=NOW)
    path.write_text(CUT[form])
    with pytest.raises(DncFormatError, match=rf"x\.{form} ends in the middle of a line"):
        load("national", [path], allow=["malformed", "shrink"])
    assert numbers(store) == set(PHONES)
    path.write_text(CUT[form] + "\n")  # one of 2,001 lines, and somebody ended it
    assert load("national", [path], allow=["gap", "shrink"]).malformed == 1


def test_a_zip_that_was_cut_off_is_called_so(store: DncStore, tmp_path: Path) -> None:
    path = tmp_path / "list.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("list.txt", DIGITS)
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(DncFormatError, match=r"list\.zip is a zip archive cut off"):
        store.add_list("national", [path], as_of=NOW)


def test_malformed_lines_are_counted_and_named_without_their_content(
    empty: DncStore, tmp_path: Path
) -> None:
    path = tmp_path / "list.txt"
    path.write_text(COMMA + "407,555\xff123\n" + COMMA + "12345\n", "latin-1")
    with pytest.raises(
        DncRefusedError, match=r"2 of 42 lines.*list.txt:21, list.txt:42"
    ) as refusal:
        empty.add_list("national", [path], as_of=NOW)
    assert "555" not in str(refusal.value)
    result = empty.add_list("national", [path], as_of=NOW, allow=["malformed"])
    assert (result.numbers, result.malformed) == (20, 2)


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("csv", "x.csv:3"), ("short", "x.short:3"),
        ("xml", "x.xml:2"), ("nowhere", "x.nowhere:1"),
        ("changes", "x.changes:2"), ("digits", "the first: "),
    ],
)  # fmt: skip
def test_malformed_rows_of_other_formats_are_named_too(
    store: DncStore, tmp_path: Path, form: str, line: str
) -> None:
    text = {
        "csv": "phone\n4075550100\nnobody\n",
        "short": "note,phone\nasked,4075550100\ncut\n",
        "xml": "<list><ac val='407'><ph val='5550100'/>\n<ph val='55501'/></ac></list>",
        "nowhere": "<list><ph val='5550101'/><ac val='407'>\n<ph val='5550100'/></ac></list>",
        "changes": "4075550100,2026-09-10T08:00:00,D\n4075550101,yesterday,A\n",
        "digits": "4075550100,2026-09-10T08:00:00,D\n407555010,2026-09-10T08:00:00,A\n",
    }[form]
    path = tmp_path / f"x.{form}"
    path.write_text(text)
    changes = form in {"changes", "digits"}
    load = store.apply_changes if changes else partial(store.add_list, as_of=NOW)
    with pytest.raises(DncRefusedError, match=f"1 of 2 lines.*{line}"):
        load("national", [path])


@pytest.mark.parametrize(
    "odd",
    [
        *("<ph/>", "<ph val=''/>", "<ph val='55501011'/>", "<ph val='55O0101'/>"),
        *(
            f"<ac val='{code}'><ph val='5550101'/></ac>"
            for code in ("", "4O7", "4075", "107", "٤٠٧")
        ),
        "<ac><ph val='5550101'/></ac>",
    ],
)
def test_a_number_in_no_area_code_is_malformed_in_xml(
    empty: DncStore, tmp_path: Path, odd: str
) -> None:
    path = tmp_path / "x.xml"
    path.write_text(f"<list>{odd}<ac val='407'><ph val='5550100'/>\n{odd}</ac></list>")
    with pytest.raises(DncRefusedError, match=r"2 of 3 lines .* x.xml:1, x.xml:2 "):
        empty.add_list("national", [path], as_of=NOW)
    result = empty.add_list("national", [path], as_of=NOW, allow=["malformed"])
    assert (result.numbers, result.area_codes) == (1, 1)


lines = st.one_of(
    st.integers(2_000_000_000, 9_999_999_999).map(str),
    st.integers(2_000_000_000, 9_999_999_999).map(lambda p: f"{p // 10**7},{p % 10**7:07d}"),
    st.sampled_from(["", " ", "x", "123", "0123456789", "407,55512345", "4" * 11]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(lines), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.integers(1, 40))
def test_flat_text_is_read_line_by_line_wherever_the_chunks_end(
    texts: list[str],
    newline: str,
    last: bool,  # noqa: FBT001 - drawn by name
    chunk: int,
) -> None:
    data = newline.join(texts) + (newline if last else "")
    stream = _Slices(data.encode())
    stream.piece = chunk
    batches = list(formats.read_flat(Member("list.txt", stream)))
    expected = [int(text.replace(",", "")) for text in texts if _plain(text)]
    assert [p for batch in batches for p in batch.numbers.tolist()] == expected
    filled = [text for text in texts if text.strip()]
    assert sum(batch.lines for batch in batches) == len(filled)
    bad = [number for number, text in enumerate(texts, 1) if text.strip() and not _plain(text)]
    named = [line for batch in batches for line in batch.named]
    assert set(named) <= set(bad)
    assert sum(batch.malformed for batch in batches) == len(bad)


def _plain(text: str) -> bool:
    digits = text.replace(",", "", 1) if text[3:4] == "," else text
    return len(digits) == 10 and digits.isdigit() and digits >= "2"


class _Slices(io.BytesIO):
    """Bytes that come in small pieces."""

    piece = 1

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(self.piece, size or 1))


@pytest.mark.parametrize("kind", ["TEXT", "INTEGER", "mixed"])
def test_an_older_database_imports(empty: DncStore, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as old:
        declared = "" if kind == "mixed" else kind
        old.execute(
            f"CREATE TABLE dnc_list (area_code TEXT, phone_number TEXT, full_phone {declared})"
        )
        for index, p in enumerate(PHONES):
            text = f"({p // 10**7}) {p // 10**4 % 1000}-{p % 10**4:04d}"
            full = [p, str(p), text, None][index % 4] if kind == "mixed" else p
            old.execute(
                "INSERT INTO dnc_list VALUES (?, ?, ?)", (str(p // 10**7), f"{p % 10**7:07d}", full)
            )
    old.close()
    result = empty.import_legacy("national", path, as_of=NOW)
    assert (result.numbers, result.malformed) == (20, 0)
    assert numbers(empty) == set(PHONES)
    assert not empty.import_legacy("national", path, as_of=NOW).changed


def test_what_is_no_older_database_is_refused(empty: DncStore, tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    path.write_text(DIGITS)
    with pytest.raises(DncFormatError, match="not a readable SQLite"):
        empty.import_legacy("national", path, as_of=NOW)
    path.unlink()
    with sqlite3.connect(path) as old:
        old.execute("CREATE TABLE people (phone TEXT)")
    old.close()
    with pytest.raises(DncFormatError, match="no table dnc_list"):
        empty.import_legacy("national", path, as_of=NOW)
    with sqlite3.connect(path) as old:
        old.execute("CREATE TABLE dnc_list (full_phone TEXT)")
    old.close()
    with pytest.raises(DncFormatError, match="no phone"):
        empty.import_legacy("national", path, as_of=NOW)
    with sqlite3.connect(path) as old:
        old.executemany("INSERT INTO dnc_list VALUES (?)", [("4075550100",), ("12",), (b"x",)])
    old.close()
    with pytest.raises(DncRefusedError, match=r"2 of 3 lines.*row 2, .*row 3"):
        empty.import_legacy("national", path, as_of=NOW)


def test_rows_that_cannot_be_read_are_counted_over_all_of_an_older_database(
    empty: DncStore, tmp_path: Path
) -> None:
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as old:
        old.execute("CREATE TABLE dnc_list (full_phone TEXT)")
        phones = (str(4075500000 + number) for number in range(50_040))
        rows = ((one,) for one in ("12", *["x"] * 59, *phones))
        old.executemany("INSERT INTO dnc_list VALUES (?)", rows)
    old.close()
    with pytest.raises(DncRefusedError, match=r"60 of 50,100 lines .* old.db:row 1, .*:row 10 "):
        empty.import_legacy("national", path, as_of=NOW)


def test_a_file_that_grows_while_it_is_read_is_refused(empty: DncStore, tmp_path: Path) -> None:
    path = write_list(tmp_path / "list.txt", PHONES)

    def grow(done: int, total: int, _: int) -> None:
        if done == total:
            write_list(path, [*PHONES, 4075550199])

    with pytest.raises(DncFormatError, match="changed while"):
        empty.add_list("national", [path], as_of=NOW, progress=grow)
    assert [one.list for one in empty.stats()] == ["internal"]


def test_a_file_that_grows_after_it_was_digested_is_refused(
    store: DncStore, tmp_path: Path
) -> None:
    """Else the longer file would be on record by the digest of the shorter one."""
    path = write_list(tmp_path / "list.txt", [*PHONES, 4075550198])

    def grow() -> datetime:  # the store asks for the time between the two
        write_list(path, [*PHONES, 4075550198, 4075550199])
        return NOW

    with (
        DncStore.open(store.path, read_only=False, clock=grow) as slow,
        pytest.raises(DncFormatError, match="changed while"),
    ):
        slow.add_list("national", [path], as_of=NOW)
    assert numbers(store) == set(PHONES)


def test_an_older_database_that_is_in_use_is_refused_until_all_of_it_is_in_its_file(
    empty: DncStore, tmp_path: Path
) -> None:
    """It is known again by its digest: what only its log has would not make it another one."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.execute("PRAGMA journal_mode = wal")
        old.execute("CREATE TABLE dnc_list (full_phone INTEGER)")
        old.executemany("INSERT INTO dnc_list VALUES (?)", [(phone,) for phone in PHONES])
        old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert empty.import_legacy("national", path, as_of=ago(days=1)).numbers == len(PHONES)
        old.execute("INSERT INTO dnc_list VALUES (4075550150)")
        (tmp_path / "link.db").symlink_to(path)
        for name in ("old.db", "link.db"):
            with pytest.raises(DncFormatError, match=r"part of it is in old\.db-wal"):
                empty.import_legacy("national", tmp_path / name, as_of=NOW)
        old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert empty.import_legacy("national", path, as_of=NOW).numbers == len(PHONES) + 1


def test_progress_tells_bytes_and_numbers(empty: DncStore, tmp_path: Path) -> None:
    told: list[tuple[int, int, int]] = []
    path = write_list(tmp_path / "list.txt", PHONES)
    empty.add_list("national", [path], as_of=NOW, progress=lambda *seen: told.append(seen))
    assert told[-1] == (path.stat().st_size, path.stat().st_size, 20)


@pytest.mark.parametrize(
    ("first", "lines"),
    [("phone,timestamp,action", 1), ("(407) 555-0150,2026-09-10T08:00:00,A", 2), ("x1,y,z", 2)],
)
def test_a_change_lists_first_line_is_a_header_only_without_digits(
    store: DncStore, tmp_path: Path, first: str, lines: int
) -> None:
    path = tmp_path / "c.txt"
    path.write_text(f"{first}\n4075550151,2026-09-10T08:00:00,A\n")
    result = store.apply_changes("national", [path], allow=["gap", "malformed"])
    assert result.lines == lines
    assert result.added == lines - result.malformed


@pytest.mark.parametrize("header", ["phone\n", ""])
def test_a_cell_beyond_all_measure_is_no_csv(empty: DncStore, tmp_path: Path, header: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"{header}{'4' * 200_000}\n")
    with pytest.raises(DncFormatError, match=r"list\.csv:\d is not CSV"):
        empty.opt_out_file(path, source="test")


def test_a_quote_that_nothing_closes_swallows_no_phones(store: DncStore, tmp_path: Path) -> None:
    """To CSV, what follows it is all one cell; the row that it is in has a phone, and counts."""
    path = tmp_path / "list.csv"
    path.write_text('phone,note\n4075550150,"said no\n4075550151,\n4075550152,\n')
    loads = (
        lambda: store.opt_out_file(path),
        lambda: store.add_list("wireless", [path], as_of=NOW, kind="national"),
    )
    for load in loads:
        with pytest.raises(DncFormatError, match=r"list\.csv:4 is not CSV: unexpected end of data"):
            load()
    path.write_text('phone,note\n4075550150,"said no\n4075550151,\n4075550152,"asked"\n')
    with pytest.raises(DncFormatError, match=r"list\.csv:4 is not CSV: .* expected after"):
        store.opt_out_file(path)
    for taken in (
        '4075550151,\n4075550152,y"', '407-555-0151,x"', 'no\nx,4075550151"', '1(407) 555-0151;y"',
    ):  # fmt: skip
        path.write_text(f'phone,note\n4075550149,\n4075550150,"x\n{taken}\n4075550153,\n')
        for load in loads:
            with pytest.raises(DncFormatError, match=r"list\.csv:3: a quote that begins here"):
                load()
    path.write_text('note,phone\n"Bob,4075550150\nAl 5",4075550151\n')  # that of its own row
    for load in loads:
        with pytest.raises(DncFormatError, match=r"list\.csv:2: a quote that begins here"):
            load()
    path.write_text('4075550150,"x\n4075550151"\n')  # in the first line, which has no header
    with pytest.raises(DncFormatError, match=r"list\.csv:1: a quote that begins here"):
        store.opt_out_file(path)
    path.write_text('phone,note\n4075550150,"said ""no"",\ntwice"\n4075550151,6\'2"\n')
    assert store.opt_out_file(path).numbers == 2


def test_a_member_packed_in_a_way_that_unpacks_all_at_once_is_refused(
    empty: DncStore, tmp_path: Path
) -> None:
    path = tmp_path / "list.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("list.txt", DIGITS)
    with pytest.raises(DncFormatError, match=r"list\.zip is packed in a rare way"):
        empty.add_list("national", [path], as_of=NOW)


def test_rows_beyond_one_batch_are_read_in_every_format(empty: DncStore, tmp_path: Path) -> None:
    """The last batch is one row: whatever is read in batches must begin a new one."""
    count = formats.BATCH + 1
    phones = range(4075000000, 4075000000 + count)
    many = {
        "csv": "phone\n" + "".join(f"{p}\n\n" if p % 3 == 0 else f"{p}\n" for p in phones),
        "xml": "<list><ac val='407'>" + "".join(f"<ph val='{p % 10**7}'/>" for p in phones)
        + "</ac></list>",
    }  # fmt: skip
    for form, text in many.items():
        path = tmp_path / f"list.{form}"
        path.write_text(text)
        result = empty.add_list(form, [path], as_of=NOW)
        assert (result.lines, result.numbers, result.malformed) == (count, count, 0)
    changes = tmp_path / "c.txt"
    changes.write_text("".join(f"{p},2026-09-15T08:00:00,D\n" for p in phones))
    result = empty.apply_changes("csv", [changes], as_of=NOW, allow=["shrink"])
    assert (result.lines, result.removed, result.numbers) == (count, count, 0)
    assert len(numbers(empty, "xml")) == count


def test_text_without_a_line_is_refused(empty: DncStore, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(DIGITS + "4" * (formats.CHUNK * 3))
    with pytest.raises(DncFormatError, match=r"list\.txt is not text: line 21 has no end"):
        empty.add_list("national", [path], as_of=NOW)


def test_only_the_first_malformed_elements_are_named(empty: DncStore, tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_text(XML.replace("</ac>", "\n<ph val='1'/>" * 12 + "</ac>"))
    with pytest.raises(DncRefusedError, match=r"12 of 32 lines") as refusal:
        empty.add_list("national", [path], as_of=NOW)
    assert "x.xml:11" in str(refusal.value)
    assert "x.xml:12" not in str(refusal.value)


def test_a_change_at_no_moment_is_malformed(store: DncStore, tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    path.write_text("4075550150,2026-13-41T08:00:00,A\n4075550151,2026-09-10T08:00:00,A\n")
    with pytest.raises(DncRefusedError, match=r"1 of 2 lines.*c\.txt:1"):
        store.apply_changes("national", [path], allow=["gap"])
    assert store.apply_changes("national", [path], allow=["gap", "malformed"]).added == 1


def test_changes_act_by_the_moment_they_name_and_in_either_case(
    store: DncStore, tmp_path: Path
) -> None:
    path = tmp_path / "c.txt"
    path.write_text(
        "4075550150,2026-09-10T08:00:00-04:00,a\n4075550150,2026-09-10T10:00:00Z,d\n"
        "4075550100,2026-09-10T08:00:00Z,a\n4075550100,2026-09-10T08:00:00-04:00,d\n"
    )
    store.apply_changes("national", [path], allow=["gap"])
    assert numbers(store) == {*PHONES[1:], 4075550150}


def test_a_change_list_of_nothing_that_can_be_read_is_refused(
    store: DncStore, tmp_path: Path
) -> None:
    path = tmp_path / "c.txt"
    path.write_text("4075550150,2026-13-41T08:00:00,A\n")
    with pytest.raises(DncFormatError, match=r"no change in c\.txt"):
        store.apply_changes("national", [path], allow=["malformed"])


def test_an_older_database_without_whole_phones_imports_and_tells_how_far_it_is(
    empty: DncStore, tmp_path: Path
) -> None:
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as old:
        old.execute("CREATE TABLE dnc_list (area_code TEXT, phone_number TEXT)")
        rows = [(str(p // 10**7), f"{p % 10**7:07d}") for p in PHONES]
        old.executemany("INSERT INTO dnc_list VALUES (?, ?)", rows)
    old.close()
    told: list[tuple[int, int, int]] = []
    empty.import_legacy("national", path, as_of=NOW, progress=lambda *seen: told.append(seen))
    assert numbers(empty) == set(PHONES)
    size = path.stat().st_size
    assert told == [(size, size, 20)]


def test_an_archive_with_a_broken_directory_is_refused(empty: DncStore, tmp_path: Path) -> None:
    path = tmp_path / "list.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("list.txt", DIGITS)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\1\2")  # the directory's entry; its end still says where it is
    data[at : at + 4] = b"PK??"
    path.write_bytes(data)
    with pytest.raises(DncFormatError, match="is a damaged zip archive"):
        empty.add_list("national", [path], as_of=NOW)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-08-29", "2026-08-29T00:00:00+00:00", "2026-08-29T23:59:59.999999+00:00"),
        (" 2026-08-29T08:00:00 ", *["2026-08-29T08:00:00+00:00"] * 2),
        ("2026-08-29T08:00:00-04:00", *["2026-08-29T12:00:00+00:00"] * 2),
    ],
)
def test_a_moment_without_a_zone_is_utc_wherever_the_host_is(
    text: str, first: str, last: str
) -> None:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "America/New_York"
    time.tzset()
    try:
        assert parse_moment(text).isoformat() == first
        assert parse_moment(text, end_of_day=True).isoformat() == last
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()


def test_a_moment_that_is_none_is_refused() -> None:
    with pytest.raises(DncUsageError, match="expected a date"):
        parse_moment("soon")
