"""Dagster's web UI as a person uses it: what is clicked, typed and read.

Belongs here: where things are on the pages. Does not: what is expected of them (the tests).

What holds on to a page here, from firm to loose: paths, roles with their names, texts. Icons are
images whose label is the icon's name; an icon button has no other name. The graph's nodes are
HTML in `foreignObject` elements.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from playwright.sync_api import Locator, Page, TimeoutError, expect  # noqa: A004  its own

from etl_dagster_tests.e2e.server import wait_for

SIZE: Final = {"width": 1640, "height": 900}
PATIENCE_MS: Final = 60_000
RUN_LINK: Final = re.compile(r"^run [0-9a-f]{8}$")
"""Name of a link to a run: its icon's label, and the beginning of its id."""
BARS_END: Final = 1_100
"""Where the bars of a run's steps end, left of the list of steps."""


class Ui:
    """One page of a browser on one server."""

    def __init__(self, page: Page, url: str, pictures: Path) -> None:
        self.page = page
        self._url = url
        self._pictures = pictures

    def open(self, path: str) -> None:
        """Go to a path, with the navigation folded to make room."""
        self.page.goto(f"{self._url}{path}")
        unfold = self._icon_button("panel_show_left")  # the icon of a folded navigation
        fold = self.page.get_by_role("button", name="Hide navigation")
        expect(fold.or_(unfold).first).to_be_visible()
        if fold.is_visible():
            fold.click()

    def picture(self, name: str) -> Path:
        """Save what is seen."""
        path = self._pictures / f"{name}.png"
        expect(self.page.get_by_text("Created backfill")).to_have_count(0)  # no message over it
        with suppress(TimeoutError):  # a page that never rests is taken as it is
            self.page.wait_for_load_state("networkidle", timeout=10_000)
        self.page.screenshot(path=path, animations="disabled")
        return path

    # The graph

    def open_graph(self) -> None:
        """The asset graph, groups unfolded."""
        self.open("/asset-groups")
        expect(self._nodes.first).to_be_visible()
        self._unfold_groups()
        self.page.reload()  # fits the graph to the room that it has, more or less
        expect(self._nodes.first).to_be_visible()

    def fit_graph(self, names: Iterable[str]) -> None:
        """Zoom out until assets and groups of these names are seen, and nothing is cut off."""
        wanted = set(names)

        def seen() -> bool:
            labels = self._labels_in_sight()
            if all(any(_is_label_of(label, name) for label in labels) for name in wanted):
                return True
            if labels:
                self._icon_button("zoom_out").click()
            return False

        wait_for(f"all of {sorted(wanted)}", seen, seconds=30)

    def node(self, name: str) -> Locator:
        """An asset in the graph, or a group."""
        return self._nodes.get_by_text(name, exact=True).first

    def select(self, assets: Iterable[str]) -> None:
        """Click on assets of the graph, the second and later ones with Shift."""
        for number, asset in enumerate(assets):
            self.node(asset).click(modifiers=["Shift"] if number else [])
            expect(self.page).to_have_url(re.compile(rf"[/,]{asset}|%2C{asset}"))

    def filter_graph(self, assets: Iterable[str]) -> None:
        """Show only these assets in the graph that is open, by typing what is wanted."""
        self.page.locator(".CodeMirror").first.click()
        self.page.keyboard.type(" or ".join(f'key:"{asset}"' for asset in assets))
        self.page.keyboard.press("Enter")
        expect(self.page).to_have_url(re.compile("~key"))
        for asset in assets:
            expect(self.node(asset)).to_be_visible()

    @property
    def _nodes(self) -> Locator:
        return self.page.locator("foreignObject")

    def _labels_in_sight(self) -> set[str]:
        """The texts in the graph; an empty one if anything drawn goes beyond the canvas."""
        search = self.page.locator(".CodeMirror").first.bounding_box()
        if search is None:
            return set()
        drawn = self._nodes.evaluate_all(
            "nodes => nodes.map(node => [node.textContent, node.getBoundingClientRect()])"
        )
        left, top = search["x"] - 40, search["y"] + search["height"] + 10
        inside = all(
            box["left"] >= left
            and box["right"] <= SIZE["width"]
            and box["top"] >= top
            and box["bottom"] <= SIZE["height"]
            for _, box in drawn
        )
        return {text for text, _ in drawn} if inside else {""}

    def _unfold_groups(self) -> None:
        canvas = self.page.viewport_size or SIZE
        self.page.mouse.click(canvas["width"] / 2, canvas["height"] - 20, button="right")
        expect(self.page.get_by_role("menuitem").first).to_be_visible()
        unfold = self.page.get_by_role("menuitem", name="Expand all groups")
        if unfold.is_visible():
            unfold.click()
        else:
            self.page.keyboard.press("Escape")

    # Launching

    def materialize(self, button: str, *, days: str) -> str:
        """Launch a backfill of days, all chunks, by the dialog; return its id, its page open.

        Args:
            button: the text of the button that opens the dialog.
            days: a day or a range as the dialog has it, `[first...last]`.
        """
        self.page.get_by_role("button", name=button).click()
        dialog = self.page.get_by_role("dialog").filter(has_text="Partition selection")
        field = dialog.get_by_placeholder("ex: ").first
        field.fill(days)
        field.press("Tab")
        dialog.get_by_role("button", name="All", exact=True).last.click()  # the last: of chunks
        dialog.get_by_role("button", name="Launch").click()
        began = self.page.locator('a[href^="/runs/b/"]').first  # in the message that says so
        address = began.get_attribute("href") or ""
        began.click()
        self.page.mouse.move(SIZE["width"] / 2, 20)  # off the message, which then goes
        expect(self.page).to_have_url(re.compile("/runs/b/"))
        return address.split("/")[3].partition("?")[0]

    # Backfills and runs

    def backfill_succeeded(self, assets: int, *, seconds: float) -> None:
        """Watch the page of a backfill until all of it is done."""
        done = self.page.get_by_text("100% completed")
        expect(done).to_have_count(assets, timeout=seconds * 1000)
        status = self.page.get_by_text("Status", exact=True).locator("..")
        expect(status).to_contain_text("Succeeded", timeout=seconds * 1000)

    def open_only_run(self, *, seconds: float) -> str:
        """From the page of a backfill to its first run, once there is one; return the run's id."""
        self.page.get_by_role("tab", name="Runs").click()
        run = self.page.get_by_role("link", name=RUN_LINK).first
        expect(run).to_be_visible(timeout=seconds * 1000)
        address = run.get_attribute("href") or ""
        run.click()
        expect(self.page.get_by_role("button", name="Events")).to_be_visible()
        return address.split("/")[2]

    def reopen_run(self, ending: str, last_step: str) -> None:
        """Load the page of a run that has ended again: live pages leave their last steps open."""
        self.page.reload()
        expect(self.page.get_by_text(ending).last).to_be_visible()
        step = self.page.get_by_text(
            last_step, exact=True
        ).first  # its bar, which slides to its place
        wait_for("the bars", lambda: (step.bounding_box() or {"x": SIZE["width"]})["x"] < BARS_END)

    def log_line(self, text: str | re.Pattern[str]) -> Locator:
        """A line of a run's log."""
        return self.page.get_by_text(text).last

    def run_ended(self, status: str, *, seconds: float) -> None:
        """Watch the page of a run until it says so."""
        ended = self.page.get_by_text(status, exact=True).first
        expect(ended).to_be_visible(timeout=seconds * 1000)

    # Assets

    def open_asset(self, asset: str, view: str = "overview") -> None:
        self.open(f"/assets/{asset}?view={view}")

    def open_check(self, asset: str, check: str) -> None:
        """The page of one of an asset's checks."""
        self.open_asset(asset, "checks")
        self.page.get_by_text(check, exact=True).first.click()
        expect(self.page).to_have_url(re.compile(check))

    def open_markdown(self) -> Locator:
        """Open the Markdown among the metadata of the asset whose page is open; return it."""
        self.page.get_by_text("[Show Markdown]").first.click()
        return self.page.get_by_role("dialog")

    @property
    def check_result(self) -> Locator:
        """What the page of a check says of its newest execution."""
        return self.page.get_by_text("Evaluation result", exact=True).locator("..")

    def show_plots(self) -> Locator:
        """Turn an asset's metadata into plots; return them."""
        plots = self.page.get_by_role("button", name="Plots")
        plots.click()
        drawn = self.page.locator("canvas")
        expect(drawn.first).to_be_visible()
        plots.evaluate("button => button.scrollIntoView({block: 'start'})")
        return drawn

    def follow_asset(self, asset: str) -> None:
        """Follow a link to an asset."""
        self.page.locator(f'a[href="/assets/{asset}"]').first.click()

    # Automation

    @property
    def switch(self) -> Locator:
        """The switch of the sensor whose page is open."""
        return self.page.get_by_role("checkbox")

    def open_sensor(self, name: str) -> None:
        self.open(f"/locations/etl_dagster/sensors/{name}")
        expect(self.switch).to_be_attached()  # the label around it is what is seen

    def turn(self, *, on: bool) -> None:
        """Turn the sensor whose page is open on or off."""
        expect(self.switch).to_be_checked(checked=not on)
        self.page.locator("label").filter(has=self.switch).click()
        expect(self.switch).to_be_checked(checked=on)

    def _icon_button(self, icon: str) -> Locator:
        return self.page.get_by_role("button").filter(has=self.page.get_by_label(icon, exact=True))


def _is_label_of(label: str, name: str) -> bool:
    """Whether the label is the name, perhaps with its middle left out."""
    start, gap, end = label.partition("…")
    return label == name or bool(gap and name.startswith(start) and name.endswith(end))
