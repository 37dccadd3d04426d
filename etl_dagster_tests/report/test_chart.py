import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given

from etl_dagster.report.chart import CLASSES, chart_address, chart_svg, chart_text
from etl_dagster.warehouse.funnel import Day, Funnel
from etl_dagster_tests.report.days import DAY, HOSTILE, days

SVG = "{http://www.w3.org/2000/svg}"
PART = re.compile(r"(.+): (\d+) of (\d+)")


def picture(day: Day) -> ET.Element:
    return ET.fromstring(chart_svg(day))  # noqa: S314  of our own making


def drawn(day: Day) -> Iterator[dict[str, tuple[int, float]]]:
    """By bar, from the top: each part's number and width."""
    for row in picture(day).iter(f"{SVG}g"):
        parts = {}
        for rect in row.iter(f"{SVG}rect"):
            title = rect.findtext(f"{SVG}title")
            if title:
                found = PART.fullmatch(title)
                assert found
                parts[found[1]] = (int(found[2]), float(rect.get("width", "nan")))
        yield parts


@given(days())
def test_every_bar_adds_up_to_its_funnel(day: Day) -> None:
    bars = list(drawn(day))
    funnels = [*day.campaigns.values(), day.total]
    assert len(bars) == len(funnels)
    for parts, funnel in zip(bars, funnels, strict=True):
        assert sum(leads for leads, _ in parts.values()) == funnel.extracted
        assert {name: leads for name, (leads, _) in parts.items()} == {
            name: count(funnel) for name, (_, count) in CLASSES.items() if count(funnel)
        }
        if funnel.extracted:
            assert sum(wide for _, wide in parts.values()) == pytest.approx(460, abs=0.03)
        for leads, wide in parts.values():
            assert wide == pytest.approx(460 * leads / funnel.extracted, abs=0.02)


def test_parts_stand_side_by_side() -> None:
    funnel = Funnel(
        extracted=11, no_phone=1, invalid=1, litigator=1, dnc=2, full_scrub=1, blocked=4,
        unknown=2, callable=3,
    )  # fmt: skip
    root = picture(replace(DAY, campaigns={"a": funnel}))
    row = next(root.iter(f"{SVG}g"))
    places = [(float(r.get("x", "")), float(r.get("width", ""))) for r in row.iter(f"{SVG}rect")]
    assert len(places) == 6
    for (start, wide), (following, _) in pairwise(places):
        assert start + wide == pytest.approx(following)


@pytest.mark.parametrize("name", [*HOSTILE, "\x00\ud800\ufffe", "x" * 300])
def test_no_name_breaks_the_picture(name: str) -> None:
    day = replace(DAY, campaigns={name: Funnel(extracted=1, callable=1)})
    texts = [one.text or "" for one in picture(day).iter(f"{SVG}text")]
    assert len(texts) == 2 + len(CLASSES) - 1 + 5  # without the full scrub, which blocks nobody
    assert max(map(len, texts)) < 60


def test_the_picture_is_one_address_that_opens_nothing_else() -> None:
    kind, _, data = chart_address(DAY).partition(",")
    assert kind == "data:image/svg+xml;base64"
    svg = base64.b64decode(data, validate=True).decode()
    assert svg == chart_svg(DAY)
    assert set(re.findall(r"url\(([^)]*)", svg)) == {"#hatched"}
    assert svg.count("http") == svg.count("http://www.w3.org/2000/svg") == 1
    assert "href" not in svg


def test_who_does_not_see_it_is_told_the_same() -> None:
    words = chart_text(DAY)
    assert "1,234 leads of 2026-11-20" in words
    assert "200 callable (16.2%), 0 litigator (0.0%), 34 Do-Not-Call (2.8%)" in words
    root = picture(DAY)
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}desc") == words


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_stands_out_from_what_it_stands_on() -> None:
    ink = luminance("#111111")
    fills = {fill for fill, _ in CLASSES.values() if fill[0] == "#"}
    for colour in fills | {"#FFFFFF", "#9AD0F0"}:
        assert (luminance(colour) + 0.05) / (ink + 0.05) > 4.5
