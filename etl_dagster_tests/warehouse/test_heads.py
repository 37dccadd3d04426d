"""The file of heads: the same bytes for the same heads, and nothing in it can be changed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from etl_dagster.identity.signatures import make_keys
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse import heads
from etl_dagster.warehouse.heads import HeadsError
from etl_dagster_tests.warehouse.conftest import CHUNK, NEXT, NOW, Tables


def a_ledger(tables: Tables) -> heads.Heads:
    for phone in (4075550100, 4075550101):
        tables.said("ccc", Verdict.CLEAR, phone)
    tables.said("dnc", Verdict.LISTED, 4075550100)
    tables.said("ccc", Verdict.CLEAR, 4075550100, chunk=NEXT)
    return heads.read_heads(tables.session, ledger="ours")


def test_heads_are_the_newest_batch_of_every_chain(tables: Tables) -> None:
    found = a_ledger(tables).heads
    assert [(one.lead_date, one.chunk, one.source, one.position) for one in found] == [
        (CHUNK.lead_date, 0, "ccc", 2),
        (CHUNK.lead_date, 0, "dnc", 1),
        (NEXT.lead_date, 0, "ccc", 1),
    ]
    for one in found:
        assert tables.count("SCRUB_BATCHES", f"digest = '{one.digest}'") == 1


def test_a_file_is_read_as_it_was_written(tables: Tables, tmp_path: Path) -> None:
    private, public = make_keys(tmp_path)
    written = a_ledger(tables)
    plain, signed = tmp_path / "plain.json", tmp_path / "signed.json"
    heads.write_file(written, plain)
    heads.write_file(written, signed, private_key=private)
    assert heads.read_file(plain) == heads.read_file(signed, public_key=public)
    assert list(heads.read_file(plain).heads) == list(written.heads)
    again = tmp_path / "again.json"
    heads.write_file(heads.read_file(signed), again, private_key=private)
    assert again.read_bytes() == signed.read_bytes()
    with pytest.raises(HeadsError, match="is not signed"):
        heads.read_file(plain, public_key=public)


def set_digest(content: dict[str, Any]) -> None:
    content["anchor"]["heads"][0]["digest"] = "x"


def drop_a_head(content: dict[str, Any]) -> None:
    content["anchor"]["heads"].pop()


def set_moment(content: dict[str, Any]) -> None:
    content["anchor"]["taken_at"] = "2026-01-01T00:00:00Z"


def set_hash(content: dict[str, Any]) -> None:
    content["sha256"] = "0" * 64


def add_a_field(content: dict[str, Any]) -> None:
    content["more"] = 1


def set_format(content: dict[str, Any]) -> None:
    content["anchor"]["format"] = "another"


CHANGES = (set_digest, drop_a_head, set_moment, set_hash, add_a_field, set_format)


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_file_is_refused(
    tables: Tables, tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    path = tmp_path / "heads.json"
    heads.write_file(a_ledger(tables), path)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(HeadsError, match=r"heads\.json"):
        heads.read_file(path)


def test_a_file_made_anew_without_the_key_is_refused(tables: Tables, tmp_path: Path) -> None:
    private, public = make_keys(tmp_path / "ours")
    strange, _ = make_keys(tmp_path / "theirs")
    path = tmp_path / "heads.json"
    heads.write_file(a_ledger(tables), path, private_key=private)
    kept = json.loads(path.read_text())["signature"]
    tables.session.execute("DELETE FROM SCRUB_BATCHES WHERE position = 2")
    forged = heads.read_heads(tables.session, ledger="ours")
    heads.write_file(forged, path, private_key=strange)
    with pytest.raises(HeadsError, match="not signed by the key"):
        heads.read_file(path, public_key=public)
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "signature": kept}))
    with pytest.raises(HeadsError, match="not signed by the key"):
        heads.read_file(path, public_key=public)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"anchor": 1}'])
def test_what_is_no_file_of_heads_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "heads.json"
    with pytest.raises(HeadsError, match="No such file"):
        heads.read_file(path)
    path.write_bytes(content)
    with pytest.raises(HeadsError, match="not a file of heads"):
        heads.read_file(path)
    with pytest.raises(HeadsError, match="No such file"):
        heads.write_file(
            heads.Heads(format=heads.FORMAT, ledger="", taken_at=NOW, heads=()),
            tmp_path / "none" / "heads.json",
        )
