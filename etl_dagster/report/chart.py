"""The funnel as a picture: one bar a campaign, all leads of it, by what became of them.

Belongs here: an SVG, and that as the data address that a page shows. Does not: any number's origin.

It is drawn on a white card of its own, since a picture does not know whether the page around it is
dark. Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which people who see
fewer colours tell apart; order, gaps, hatching and percentages say the same without any colour.
"""

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Final
from xml.etree import ElementTree as ET

from etl_dagster.report.markdown import share
from etl_dagster.warehouse.funnel import Day, Funnel

CLASSES: Final[Mapping[str, tuple[str, Callable[[Funnel], int]]]] = {
    "callable": ("#009E73", lambda funnel: funnel.callable),
    "litigator": ("#D55E00", lambda funnel: funnel.litigator),
    "Do-Not-Call": ("#E69F00", lambda funnel: funnel.dnc),
    "full scrub": ("#CC79A7", lambda funnel: funnel.full_scrub),
    "unknown": ("url(#hatched)", lambda funnel: funnel.unknown),
    "no valid phone": ("#C4C4C4", lambda funnel: funnel.no_phone + funnel.invalid),
}
"""What becomes of a lead: name to fill and number, in the order of the bar."""

_FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_INK: Final = "#111111"
_MARGIN: Final = 16
_BAR: Final = 460
_HEIGHT: Final = 22
_PITCH: Final = 32
_TOP: Final = 66
_LETTER: Final = 7
"""Width of a letter of the labels, about."""
_LONGEST: Final = 28
"""Longer names are cut; the table beside the picture has them whole."""
_LABEL_FROM: Final = 38
"""Narrower parts have no room for their percentage."""


def _classes(day: Day) -> Mapping[str, Callable[[Funnel], int]]:
    """Those of a day, which has the full scrub's only where it blocks leads."""
    shown = "full_scrub" in day.classes
    return {name: of for name, (_, of) in CLASSES.items() if shown or name != "full scrub"}


def chart_address(day: Day) -> str:
    """The picture as a data address."""
    return "data:image/svg+xml;base64," + base64.b64encode(chart_svg(day).encode()).decode()


def chart_text(day: Day) -> str:
    """What the picture says, for those who do not see it."""
    parts = [
        f"{count(day.total):,} {name} ({share(count(day.total), day.total.extracted) or 0:.1f}%)"
        for name, count in _classes(day).items()
    ]
    return (
        f"Bar chart of {day.total.extracted:,} leads of {day.lead_date} by campaign. All together:"
        f" {', '.join(parts)}. The table below has every campaign's numbers."
    )


def chart_svg(day: Day) -> str:
    """The picture: a bar a campaign and one for all of them, each as wide as 100%."""
    bars = [*day.campaigns.items(), ("all", day.total)]
    left = _MARGIN + _LETTER * max(len(_cut(name)) for name, _ in bars) + 10
    right = 10 + (_LETTER + 1) * max(len(f"{funnel.extracted:,} leads") for _, funnel in bars)
    width, height = left + _BAR + right + _MARGIN, _TOP + _PITCH * len(bars) + 8
    size = {"width": str(width), "height": str(height), "viewBox": f"0 0 {width} {height}"}
    root = ET.Element(
        "svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", "font-family": _FONT, **size}
    )
    ET.SubElement(root, "title").text = f"Leads of {day.lead_date} by campaign"
    ET.SubElement(root, "desc").text = chart_text(day)
    _hatching(root)
    ET.SubElement(root, "rect", _box(0.5, 0.5, width - 1, height - 1, fill="#FFFFFF", rx="8"))
    _write(root, _MARGIN, 24, f"What became of the leads of {day.lead_date}", weight="600", size=15)
    _legend(root, _classes(day))
    for number, (name, funnel) in enumerate(bars):
        row = ET.SubElement(root, "g")
        ET.SubElement(row, "title").text = _printable(name)
        weight = "600" if number == len(day.campaigns) else "400"
        _bar(row, (left, _TOP + _PITCH * number), name, funnel, weight=weight)
    return ET.tostring(root, encoding="unicode")


def _bar(
    row: ET.Element, place: tuple[int, int], name: str, funnel: Funnel, *, weight: str
) -> None:
    """A label, the parts that make up 100%, how many leads that is."""
    left, top = place
    middle = top + _HEIGHT / 2 + 4
    _write(row, left - 10, middle, _cut(name), weight=weight, anchor="end")
    _write(row, left + _BAR + 10, middle, f"{funnel.extracted:,} leads", weight=weight)
    done = 0
    for label, (fill, count) in CLASSES.items():
        leads = count(funnel)
        if not leads:
            continue
        # from the running sum, so that the parts end where the bar does
        start = round(left + _BAR * done / funnel.extracted, 2)
        done += leads
        wide = round(left + _BAR * done / funnel.extracted - start, 2)
        part = ET.SubElement(
            row, "rect", _box(start, top, wide, _HEIGHT, fill=fill, stroke="#FFFFFF")
        )
        ET.SubElement(part, "title").text = f"{label}: {leads} of {funnel.extracted}"
        if wide >= _LABEL_FROM:
            shown = f"{100 * leads / funnel.extracted:.0f}%"
            _write(row, start + wide / 2, middle, shown, anchor="middle", size=12)
    if not done:
        empty = _box(left, top, _BAR, _HEIGHT, fill="none", stroke="#767676")
        ET.SubElement(row, "rect", {**empty, "stroke-dasharray": "3 3"})


def _legend(root: ET.Element, names: Iterable[str]) -> None:
    left = float(_MARGIN)
    for name in names:
        ET.SubElement(root, "rect", _box(left, 38, 12, 12, fill=CLASSES[name][0]))
        _write(root, left + 17, 48.5, name, size=12)
        left += 17 + _LETTER * len(name) + 16


def _hatching(root: ET.Element) -> None:
    attributes = {"id": "hatched", "width": "6", "height": "6", "patternUnits": "userSpaceOnUse"}
    pattern = ET.SubElement(ET.SubElement(root, "defs"), "pattern", attributes)
    ET.SubElement(pattern, "rect", {"width": "6", "height": "6", "fill": "#9AD0F0"})
    line = {"d": "M-1 1 L1 -1 M0 6 L6 0 M5 7 L7 5", "stroke": "#0072B2", "stroke-width": "1.2"}
    ET.SubElement(pattern, "path", line)


def _box(left: float, top: float, wide: float, high: float, **paint: str) -> dict[str, str]:
    places = {"x": left, "y": top, "width": wide, "height": high}
    return {name: f"{value:g}" for name, value in places.items()} | paint


def _write(  # noqa: PLR0913  what a text has in SVG
    parent: ET.Element,
    left: float,
    base: float,
    words: str,
    *,
    weight: str = "400",
    anchor: str = "start",
    size: int = 13,
) -> None:
    attributes = {
        "x": f"{left:g}",
        "y": f"{base:g}",
        "fill": _INK,
        "font-size": str(size),
        "font-weight": weight,
        "text-anchor": anchor,
    }
    ET.SubElement(parent, "text", attributes).text = _printable(words)


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _printable(words: str) -> str:
    """Text that XML can hold."""
    return "".join(mark if mark.isprintable() else " " for mark in words)
