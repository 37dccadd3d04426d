"""The folder: whole or not there, for its owner alone, with a page that needs nothing."""

import os
import re
import subprocess
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from etl_dagster.evidence import page
from etl_dagster.evidence.forms import EvidenceError
from etl_dagster.evidence.gathering import Evidence
from etl_dagster.evidence.pack import check_target
from etl_dagster_tests.evidence.conftest import ASKED, LATER, World, content_of, make

VOID = {"meta"}


class Outline(HTMLParser):
    """Every element is closed where it should be; ids, links and headings are noted."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self.tags.append(tag)
        self.ids += [said["id"] or ""] if "id" in said else []
        self.links += [said["href"] or ""] if "href" in said else []
        assert not [name for name in said if name.startswith("on") or name == "src"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_all_of_it_is_for_its_owner_alone(gathered: Evidence, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = make(gathered, tmp_path / "pack")
    finally:
        os.umask(before)
    modes = {path.relative_to(folder).as_posix(): path.stat().st_mode for path in folder.rglob("*")}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert modes.pop("other_phones") & 0o777 == 0o700
    assert {mode & 0o777 for mode in modes.values()} == {0o600}
    top = {"README.txt", "SHA256SUMS", "evidence.html", "evidence.json", "verify.py"}
    assert {name for name in modes if "/" not in name} == top
    assert (
        subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, check=False).returncode == 0
    )
    assert [path.name for path in folder.parent.glob(".*")] == []


def test_a_folder_that_is_not_empty_is_never_touched(gathered: Evidence, tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    folder = make(gathered, tmp_path / "pack")  # an empty one is taken
    assert (folder / "evidence.html").exists()
    with pytest.raises(EvidenceError, match="pack exists: choose another name"):
        make(gathered, tmp_path / "pack")
    with pytest.raises(EvidenceError, match="there is no folder"):
        check_target(tmp_path / "none" / "pack")
    with pytest.raises(EvidenceError, match="exists"):
        check_target(folder / "README.txt")


def test_nothing_is_left_where_it_cannot_be_written(gathered: Evidence, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(EvidenceError, match="nothing was written"):
        make(gathered, tmp_path / "pack", heads=tmp_path / "none.json")
    gathered = replace(gathered, files={"x" * 300: b""})
    with pytest.raises(EvidenceError, match="File name too long; nothing was written"):
        make(gathered, tmp_path / "pack")
    assert sorted(tmp_path.iterdir()) == before


def test_what_a_killed_process_left_is_removed(gathered: Evidence, tmp_path: Path) -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    for which in (child.pid, os.getpid(), os.getppid(), "x"):
        name = f".pack.{which}.part"
        (tmp_path / name).mkdir()
    make(gathered, tmp_path / "pack")
    left = sorted(path.name for path in tmp_path.glob(".pack*"))
    assert left == sorted([f".pack.{os.getppid()}.part", ".pack.x.part"])


def test_the_page_is_whole_and_needs_nothing(gathered: Evidence, tmp_path: Path) -> None:
    text = (make(gathered, tmp_path / "pack") / "evidence.html").read_text("utf-8")
    outline = Outline(text)
    assert "script" not in outline.tags
    assert outline.tags.count("h1") == 1
    assert outline.tags.count("caption") == outline.tags.count("table")
    assert len(outline.ids) == len(set(outline.ids))
    inside = {link[1:] for link in outline.links if link.startswith("#")}
    assert inside <= set(outline.ids)
    outside = [link for link in outline.links if not link.startswith("#")]
    assert all(link.startswith("http://127.0.0.1:3000/runs/") for link in outside)
    assert "url(" not in text
    assert "<!doctype html>" in text
    assert 'lang="en"' in text


def test_the_page_says_what_the_data_say(gathered: Evidence, tmp_path: Path) -> None:
    folder = make(gathered, tmp_path / "pack")
    content = content_of(folder)
    text = unescape((folder / "evidence.html").read_text("utf-8"))
    assert "Evidence for 407-555-0100" in text
    for verdict in content["verdicts"].values():
        for key in ("batch_id", "policy_hash", "evidence_hash", "run_id"):
            assert verdict["row"][key] in text
    assert '"IsLitigator": false' in text
    assert re.search(r"CALLABLE</span></td>\s*<td><time", text)


def test_whatever_somebody_wrote_is_text_on_the_page(world: World) -> None:
    world.opt_out(ASKED, LATER)
    evidence = world.gather()
    evil = "<script>alert(1)</script>\"'&"
    evidence.content["requests"][0]["note"] = evil
    evidence.content["days"][0]["leads"][0]["campaign"] = evil
    evidence.content["verdicts"]["v1"]["row"]["reason"] = evil
    text = page.render(evidence.content)
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 3
    Outline(text)


def test_nothing_on_record_makes_a_page_as_well(empty_world: World) -> None:
    empty_world.tables.lead("someone", ASKED)
    folder = empty_world.make(empty_world.gather())
    text = (folder / "evidence.html").read_text("utf-8")
    assert "What was decided, and when: </strong>none on record" in text
    Outline(text)
