"""Hostile bytes at every door: list files, snapshots, CCC's answers, settings, campaign SQL.

Belongs here: what holds whatever comes in. Nothing is clear by accident, nothing is half written,
only documented errors are raised, and none says a phone. Policy files have their own
(`leads/test_policy_fuzz.py`). Some examples in `make test`; `make fuzz` gives each door
`ETL_FUZZ_MINUTES` of its own.
"""

import gzip
import io
import json
import os
import re
import socket
import sqlite3
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import sqlglot
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from etl_dagster.ccc import CccClient, CccConfig, CccError
from etl_dagster.dnc import DncError, DncFormatError, DncStore
from etl_dagster.dnc.snapshots import ListVersion, Snapshot
from etl_dagster.leads.campaign_sql import SqlTextError, read_query
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.settings import Settings, SettingsError
from etl_dagster_tests.dnc.support import NOW, PHONES, Clock, ago, ask, numbers, write_list
from etl_dagster_tests.dnc.test_formats import LOADABLE
from etl_dagster_tests.test_settings import PRODUCTION

MINUTES = float(os.environ.get("ETL_FUZZ_MINUTES", "0"))
quick = settings(
    max_examples=200 if MINUTES else 25, deadline=None, suppress_health_check=list(HealthCheck)
)
A_PHONE = re.compile("[0-9]{7}|555.?01")


def for_a_while(test: Callable[[], None]) -> None:
    """Once, or again with other examples until the time of `make fuzz` is over."""
    until = time.monotonic() + 60 * MINUTES
    test()
    while time.monotonic() < until:
        test()


def outcome(kind: type[Exception], call: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """What a call returns, or the error of this kind that it raises; any other error is a bug."""
    try:
        return call(), None
    except kind as error:
        return None, error


# --- bytes -------------------------------------------------------------------------------------

TOKENS = [b"\n", b"\r", b"\0", b"\x1b[2J", b'"', b"'", b",", b"<", b">", b"<!--", b"-->", b"A"]
TOKENS += [b"4075550100", b"<ac val='999'>", b"\xff\xfe", "\u0664".encode(), b"\x1a", b"PK\3\4"]
TOKENS += [b"9" * 140_000, b"\n\n", b"[", b"{", b"null", b"true", b"1e999", b"\\u0050", b"D", b"9"]


@st.composite
def mutated(draw: st.DrawFn, data: bytes, most: int = 4) -> bytes:
    """The bytes with some overwritten, cut, doubled or put in between."""
    for _ in range(draw(st.integers(0, most))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from([0, 1, 2, 4, 30, 10_000])))
        new = draw(st.sampled_from(TOKENS) | st.binary(max_size=4) | st.just(data[start:end] * 2))
        data = data[:start] + new + data[end:]
    return data


# --- list files --------------------------------------------------------------------------------

CHANGES = "".join(f"{p},2026-09-10T08:00:00,{'AD'[p % 2]}\n" for p in PHONES).encode()
ALL_ALLOWED = {"malformed", "shrink", "fewer-areas", "older", "gap", "uncovered"}


def zipped(draw: st.DrawFn, data: bytes) -> bytes:
    out = io.BytesIO()
    how = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    with zipfile.ZipFile(out, "w", draw(st.sampled_from(how))) as archive:
        archive.writestr("../\u00e9 4075550100\n.txt", data)
    return out.getvalue()


def older_database() -> bytes:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as old:
        old.execute("PRAGMA page_size = 512")
        old.execute("CREATE TABLE dnc_list (area_code TEXT, phone_number TEXT, full_phone)")
        rows = [(str(p // 10**7), f"{p % 10**7:07d}", str(p)) for p in PHONES]
        old.executemany("INSERT INTO dnc_list VALUES (?, ?, ?)", rows)
        return old.serialize()


OLDER_DATABASE = older_database()


@st.composite
def list_files(draw: st.DrawFn) -> tuple[str, bytes]:
    """A way in, and what somebody puts there."""
    way = draw(st.sampled_from(["load", "load", "load", "changes", "opt-outs", "old"]))
    if way == "old":
        return way, draw(mutated(OLDER_DATABASE))
    text = draw(st.sampled_from(list(LOADABLE.values()))).encode()
    if way == "changes" or (way == "load" and not draw(st.integers(0, 9))):
        text = CHANGES
    data = draw(mutated(text))
    if draw(st.booleans()):
        data = draw(mutated(zipped(draw, data), 2))
    return way, gzip.compress(data) if not draw(st.integers(0, 29)) else data


def plain_numbers(data: bytes) -> set[int]:
    """What a file says, as far as a simple reader that is not ours understands it."""
    found = set[str]()
    if data.lstrip().startswith(b"<"):
        area = ""
        for _, element in ET.iterparse(io.BytesIO(data), ["start"]):  # noqa: S314  invented
            if element.tag == "ac":
                area = element.get("val", "")
            elif element.tag == "ph":
                found.add(area + element.get("val", ""))
    elif b'"' not in data:
        lines = re.split(rb"\r?\n", data.replace(b",", b""))
        found = {line.decode() for line in lines if line.isdigit()}
    return {int(one) for one in found if re.fullmatch("[2-9][0-9]{9}", one)}


def test_a_list_file_is_loaded_or_refused_and_nothing_between(tmp_path: Path) -> None:
    path, file = tmp_path / "dnc.sqlite", tmp_path / "list.txt"
    with DncStore.create(path, clock=Clock()) as made:
        made.add_list("national", [write_list(file, PHONES)], as_of=ago(days=10))
    original = path.read_bytes()

    @quick
    @given(list_files(), st.sampled_from([(), ALL_ALLOWED]))
    def test(put: tuple[str, bytes], allow: set[str]) -> None:
        way, data = put
        for left in tmp_path.glob("dnc.sqlite*"):
            left.unlink()
        path.write_bytes(original)
        file.write_bytes(data)
        with DncStore.open(path, read_only=False, clock=Clock()) as store:
            before = store.stats()
            load = {
                "load": lambda: store.add_list("national", [file], as_of=NOW, allow=allow),
                "changes": lambda: store.apply_changes("national", [file], allow=allow),
                "old": lambda: store.import_legacy("national", file, as_of=NOW, allow=allow),
                "opt-outs": lambda: store.opt_out_file(file, source="fuzz"),
            }[way]
            _, error = outcome(DncError, load)
            if error:
                said = str(error).replace("`407,5550123`", "")  # an example of ours
                assert said.isprintable(), repr(said)
                assert not A_PHONE.search(said), said
                assert way == "opt-outs" or store.stats() == before  # those it can read it hears
                assert numbers(store) == set(PHONES)
            elif way == "load" and not zipfile.is_zipfile(file):
                assert plain_numbers(data) <= numbers(store)
            elif way == "opt-outs":
                assert set(ask(store, PHONES).verdicts) == {int(Verdict.LISTED)}
            store.verify()

    for_a_while(test)


# --- snapshots ---------------------------------------------------------------------------------

SNAPSHOT = Snapshot(
    format=1,
    digest="a" * 64,
    size=4_096,
    store="b" * 16,
    revision=7,
    seal="c" * 64,
    lists=(
        ListVersion(list="national", version=3, as_of="2026-09-05T00:00:00+00:00"),
        ListVersion(list="internal", version=1, as_of=None),
    ),
    exported_at=NOW,
    host="primary",
)


def test_a_record_of_a_snapshot_is_whole_or_refused() -> None:
    @quick
    @given(mutated(SNAPSHOT.text()))
    @example(SNAPSHOT.text())
    @example(SNAPSHOT.text().replace(b"4096", b"1e999"))
    def test(text: bytes) -> None:
        found, error = outcome(DncFormatError, lambda: Snapshot.parse(text, name="the pointer"))
        if error:
            assert str(error).isprintable()
        else:
            assert Snapshot.parse(found.text(), name="the pointer") == found
            assert re.fullmatch("[0-9a-z/._-]+", found.path), "it stays in its place"

    for_a_while(test)
    assert Snapshot.parse(SNAPSHOT.text(), name="the pointer") == SNAPSHOT


# --- answers -----------------------------------------------------------------------------------

ASKED = np.array([4075550100, 4075550101, 4075550102], dtype=np.int64)
HEADERS = [b"Content-Encoding: gzip", b"Content-Encoding: br", b"Content-Type: text/html", b":"]
HEADERS += [b"Transfer-Encoding: chunked", b"Content-Length: 7", b"Content-Length: -1", b"A:\0"]
HEADERS += [b"Retry-After: 9e99", b"Retry-After: \xff", b"Location: http://127.0.0.1/"]
STATUSES = [b"200 OK"] * 8 + [b"204 x", b"301 x", b"400 x", b"429 x", b"500 x", b"999 x", b"\xff"]


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """Bytes of HTTP, with a body near to the documented one."""
    entries: list[Any] = [
        {
            "Phone": draw(st.sampled_from([int(phone), str(phone)])),
            "IsLitigator": draw(st.booleans() | st.sampled_from([None, 0, "false", "", []])),
        }
        for phone in ASKED
    ]
    document = draw(mutated(json.dumps(draw(st.permutations(entries))).encode(), 2))
    body = gzip.compress(document) if draw(st.booleans()) else document
    headers = draw(st.lists(st.sampled_from(HEADERS), max_size=2))
    if not headers and body != document:
        headers = [HEADERS[0]]
    status = b"HTTP/1.1 " + draw(st.sampled_from(STATUSES))
    return draw(mutated(b"\r\n".join([status, *headers, b"Connection: close", b"", body]), 1))


def who_is_clear(document: bytes) -> list[bool]:
    """By a strict reading of the documented form; an error where it is not in it."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    found = [
        (int(one["Phone"]), one["IsLitigator"])
        for one in json.loads(document, object_pairs_hook=once)
    ]
    assert sorted(phone for phone, _ in found) == ASKED.tolist()
    assert all(isinstance(litigator, bool) for _, litigator in found)
    return [not dict(found)[phone] for phone in ASKED.tolist()]


@contextmanager
def server_of_bytes() -> Iterator[tuple[str, list[bytes]]]:
    """Answers every request with the bytes in the list, then hangs up."""
    says = [b""]
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            while True:
                connection, _ = server.accept()
                with connection:
                    if not connection.recv(65_536):
                        return
                    connection.sendall(says[0])

        thread = threading.Thread(target=run)
        thread.start()
        address = server.getsockname()
        try:
            yield f"http://127.0.0.1:{address[1]}", says
        finally:
            socket.create_connection(address).close()  # which asks nothing, and ends the thread
            thread.join()


def test_no_bytes_are_an_answer_but_a_valid_one(tmp_path: Path) -> None:
    with server_of_bytes() as (url, says):
        config = CccConfig(url=url, api_key="a-key-of-mine", state_dir=tmp_path, read_timeout=0.5)
        client = CccClient(config)

        @quick
        @given(answers())
        def test(given_: bytes) -> None:
            says[0] = given_
            answer, error = outcome(CccError, lambda: client.ask(ASKED))
            if error:
                assert not A_PHONE.search(str(error)), str(error)
                assert "a-key" not in str(error)
                assert error.__cause__ is error.__context__ is None
            else:
                clear = [one == Verdict.CLEAR for one in answer.verdicts]
                assert clear == who_is_clear(answer.document)

        for_a_while(test)
        client.close()


# --- settings ----------------------------------------------------------------------------------

VALUES = ["", " ", "0", "-1", "nan", "inf", "1e400", "9" * 5_000, "true", "http://[", "[::1", "//"]
VALUES += ["a:b@c:x", "https://a:99999/", "\x1b[2J", "\n", "\u0664", "../..", "~nobody/x", "x;y"]
VALUES += ["* * * * *", "Europe/../etc", "UTC\n", "2026-13-01", "0x10", "A" * 300, "A.B.C.D", "~"]
VALUES += ["https://127.1", "http://2130706433", "https://LOCALHOST.", "production", "local"]
NAMES = [str(info.alias) for info in Settings.model_fields.values()]
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


def test_settings_are_taken_or_refused_by_name() -> None:
    @quick
    @given(
        st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES) | WORDS, max_size=3),
        st.sampled_from([{}, {**PRODUCTION, "SNOWFLAKE_PASSWORD": "hunter2-hunter2"}]),
    )
    def test(odd: dict[str, str], base: dict[str, str]) -> None:
        _, error = outcome(SettingsError, lambda: Settings.from_environment({**base, **odd}))
        if error:
            assert any(name in str(error) for name in NAMES)
            assert "hunter2" not in str(error)

    for_a_while(test)


# --- campaign SQL ------------------------------------------------------------------------------

PIECES = ["SELECT", "FROM", "WITH", "AS", "a", "t", "1", "(", ")", ",", ";", ".", "*", "'", '"']
PIECES += ["$$", "--", "//", "/*", "*/", "\n", "\\", "$PARTITION_DATE", "IN", "->>", "''", "\\'"]
PIECES += ["DELETE", "INSERT", "INTO", "UPDATE", "SET", "MERGE", "USING", "DROP", "TABLE", "CALL"]
PIECES += ["CREATE", "COPY", "GRANT", "EXECUTE", "UNION", "VALUES", "{{ x }}", "=>", "\u2028", "\r"]
PIECES += ["(SELECT a FROM t)", "WITH a AS (SELECT 1)", "DELETE FROM t", "INSERT INTO t"]
WRITES = (
    exp.Insert,
    exp.Update,
    exp.Delete,
    exp.Merge,
    exp.Drop,
    exp.Create,
    exp.Command,
    exp.Copy,
)


def test_sql_that_is_accepted_is_one_query_that_only_reads() -> None:
    @quick
    @given(
        st.lists(st.sampled_from(PIECES), max_size=12),
        st.sampled_from(["", " "]),
        st.sampled_from(["", "SELECT ", "WITH a AS "]),
    )
    def test(pieces: list[str], between: str, start: str) -> None:
        query, error = outcome(SqlTextError, lambda: read_query(start + between.join(pieces)))
        if error:
            assert str(error).isprintable(), repr(str(error))
            return
        try:
            text = f"SELECT * FROM (\n{query.text}\n) AS campaign"
            parsed = sqlglot.parse(text, read="snowflake")
        except sqlglot.errors.SqlglotError:
            return  # no SQL at all, which Snowflake says
        assert len(parsed) == 1, text
        assert parsed[0] is not None
        assert not list(parsed[0].find_all(*WRITES)), text

    for_a_while(test)


@pytest.mark.parametrize("text", ["SELECT * FROM (DELETE FROM t)", "SELECT 1); DROP TABLE t"])
def test_the_other_reader_of_sql_sees_what_writes(text: str) -> None:
    """The oracle can fail: it knows a statement that writes, or stops at what is no SQL."""
    parsed, error = outcome(sqlglot.errors.SqlglotError, lambda: sqlglot.parse(text, "snowflake"))
    assert error or any(one is not None and list(one.find_all(*WRITES)) for one in parsed)
