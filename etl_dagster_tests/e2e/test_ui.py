"""The program as a person meets it: Dagster's UI in a real browser, clicked.

The tests share one server and its sample, of seven days; each works on days of its own. What they
expect is what is seen, and that GraphQL and the warehouse agree with it.
"""

import re
from collections.abc import Sequence

import pytest
from playwright.sync_api import expect

from etl_dagster.defs.jobs import STAGE_ASSETS
from etl_dagster.defs.stage_checks import CONSERVED
from etl_dagster_tests.e2e.api import DagsterApi, Run
from etl_dagster_tests.e2e.server import UiServer, wait_for
from etl_dagster_tests.e2e.ui import Ui

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
PROGRESS = re.compile(r"[2-9]\d% \| [^|]* phones \| phones_per_second=")
"""A line of progress from beyond the first chunk."""
PUBLISHED = "SELECT * FROM CALLABLE_LEADS WHERE {} ORDER BY lead_id, campaign"


def chunks(api: DagsterApi, *days: str) -> list[str]:
    """The partitions of the days."""
    keys = api.partitions("leads")
    return [key for key in keys if key.partition("|")[0] in days]


def assert_materialized(
    api: DagsterApi, partitions: Sequence[str], assets: Sequence[str] = STAGE_ASSETS
) -> None:
    for asset in assets:
        assert sorted(api.materialized(asset, partitions)) == sorted(partitions), asset


def test_a_day_is_materialized_by_clicking_and_watched_until_it_is_done(
    ui: Ui, api: DagsterApi, server: UiServer
) -> None:
    newest = chunks(api, server.day(1))
    server.slow_ccc(1.0)
    ui.open_graph()
    ui.select(STAGE_ASSETS)
    ui.materialize("Materialize selected (4)", days=server.day(1))
    run = ui.open_only_run(seconds=120)

    expect(ui.log_line(PROGRESS)).to_be_visible(timeout=120_000)
    assert api.run(run).status == "STARTED"
    ui.picture("run_progress")
    server.slow_ccc(0)
    ui.run_ended("Success", seconds=180)
    ui.reopen_run("RUN_SUCCESS", "callable_leads")
    ui.picture("run")
    assert api.run(run).status == "SUCCESS"
    steps = api.steps(run)
    assert set(steps.values()) == {"SUCCESS"}
    assert set(steps) >= set(STAGE_ASSETS)
    assert_materialized(api, newest)

    ui.open_asset("ccc_enriched")
    plots = ui.show_plots()
    for number in ("phones_asked", "latency_p95_ms"):
        expect(ui.page.get_by_text(number, exact=True).first).to_be_visible()
    assert plots.count() > 5

    # the sensor has the day's report written
    wait_for("the report", lambda: api.materialized("scrub_report", [server.day(1)]))
    ui.open_asset("callable_leads")
    ui.follow_asset("scrub_report")
    report = ui.open_markdown()
    title = report.get_by_role("heading", name=f"Scrub report for {server.day(1)}")
    title.scroll_into_view_if_needed()  # it opens at its end
    expect(title).to_be_in_viewport()
    (row,) = server.rows(f"SELECT COUNT(*) AS callable FROM CALLABLE_LEADS WHERE {of(server, 1)}")
    expect(report).to_contain_text(f"{row['CALLABLE']:,}")
    ui.picture("report")


def test_three_days_are_backfilled_from_the_dialog(
    ui: Ui, api: DagsterApi, server: UiServer
) -> None:
    ui.open_graph()
    ui.select(STAGE_ASSETS)
    backfill = ui.materialize(
        "Materialize selected (4)", days=f"[{server.day(4)}...{server.day(2)}]"
    )
    ui.backfill_succeeded(len(STAGE_ASSETS), seconds=400)
    ui.picture("backfill")
    assert api.backfill_status(backfill) == "COMPLETED_SUCCESS"
    partitions = chunks(api, *(server.day(back) for back in (2, 3, 4)))
    assert len(partitions) == 3 * 4
    assert_materialized(api, partitions)

    ui.open_asset("ccc_enriched")
    ui.show_plots()  # of several days by now
    ui.picture("plots")


def test_the_graph_shows_all_groups_and_all_assets(ui: Ui, api: DagsterApi) -> None:
    ui.open_graph()
    groups = api.groups()
    assert set(groups) >= {"extract", "enrich", "dnc", "scrub", "publish"}
    assets = {asset.rpartition("/")[2] for assets in groups.values() for asset in assets}
    ui.fit_graph({*groups, *assets})
    ui.picture("asset_graph")


def test_a_failed_blocking_check_is_red_and_nothing_after_it_runs(
    ui: Ui, api: DagsterApi, server: UiServer
) -> None:
    partitions = materialize_day(api, server.day(6))
    before = api.materialized("callable_leads", partitions)
    published = server.rows(PUBLISHED.format(of(server, 6)))
    assert published

    have_a_lead_twice(server, 6, chunk=3)
    ui.open_graph()
    ui.filter_graph(["dnc_filtered", "callable_leads"])
    ui.materialize("Materialize all", days=server.day(6))
    run = ui.open_only_run(seconds=120)
    ui.run_ended("Failure", seconds=180)
    assert api.run(run).status == "FAILURE"
    assert api.steps(run) == {"dnc_filtered": "FAILURE"}
    assert api.materialized("callable_leads", partitions) == before
    assert server.rows(PUBLISHED.format(of(server, 6))) == published

    ui.open_check("dnc_filtered", CONSERVED)
    expect(ui.page.get_by_text("This is a blocking asset check")).to_be_visible()
    expect(ui.check_result).to_contain_text("Failed")
    expect(ui.page.get_by_text(partitions[-1], exact=True)).to_be_visible()
    ui.picture("check")


def test_a_check_that_failed_for_the_first_chunk_is_red_though_the_last_chunk_passed(
    ui: Ui, api: DagsterApi, server: UiServer
) -> None:
    partitions = materialize_day(api, server.day(5))
    have_a_lead_twice(server, 5, chunk=0)
    launched = api.launch_backfill(["dnc_filtered"], partitions)
    wait_for("the run", lambda: ended(api, launched), seconds=300)
    (run,) = api.backfill_runs(launched)
    assert run.status == "FAILURE"
    ui.open_check("dnc_filtered", CONSERVED)
    expect(ui.check_result).to_contain_text("Failed", timeout=10_000)


def test_a_sensor_that_is_turned_off_leaves_lists_alone_until_it_is_turned_on(
    ui: Ui, api: DagsterApi, server: UiServer
) -> None:
    ui.open_sensor("dnc_inbox")
    ui.turn(on=False)
    wait_for("off", lambda: api.sensor("dnc_inbox")[0] == "STOPPED")
    inbox = server.home / "inbox" / "dnc"
    file = inbox / f"state_tx@{server.day(0)}.txt"
    file.write_text("".join(f"21455501{n:02d}\n" for n in range(100)), encoding="utf-8")

    # its neighbour looks twice meanwhile, it does not
    last, other = api.sensor("dnc_inbox")[1], api.sensor("opt_out_inbox")[1]
    for _ in range(2):
        other = wait_for("another tick", lambda seen=other: newer(api, "opt_out_inbox", seen))
    assert api.sensor("dnc_inbox")[1] == last
    assert file.exists()
    assert "state_tx" not in api.partitions("dnc_registry")

    ui.turn(on=True)
    wait_for("on", lambda: api.sensor("dnc_inbox")[0] == "RUNNING")
    expect(ui.page.get_by_text("1 run requested").first).to_be_visible()
    run = wait_for("the run", lambda: list_runs(api, "state_tx"))[0]
    wait_for("its end", lambda: api.run(run.id).status == "SUCCESS")
    ui.picture("sensor")
    assert "state_tx" in api.partitions("dnc_registry")
    assert api.materialized("dnc_registry", ["state_tx"]) == {"state_tx": run.id}
    assert not file.exists()
    assert (inbox / "done" / file.name).exists()


def materialize_day(api: DagsterApi, day: str) -> list[str]:
    """Have all four stages of a day done; return its partitions."""
    partitions = chunks(api, day)
    launched = api.launch_backfill(STAGE_ASSETS, partitions)
    wait_for("the day", lambda: ended(api, launched), seconds=400)
    assert_materialized(api, partitions)
    return partitions


def ended(api: DagsterApi, backfill: str) -> str:
    """How a backfill ended; empty while it goes on."""
    status = api.backfill_status(backfill)
    return status if status.startswith("COMPLETED") else ""


def have_a_lead_twice(server: UiServer, back: int, *, chunk: int) -> None:
    """Put a lead of a chunk into LEADS again, as somebody might by hand."""
    one = f"SELECT * FROM LEADS WHERE {of(server, back)} AND chunk = {chunk} LIMIT 1"
    with server.warehouse() as session:
        session.execute(f"INSERT INTO LEADS {one}")


def of(server: UiServer, back: int) -> str:
    """The condition that picks the rows of a day."""
    return f"lead_date = '{server.day(back)}'"


def newer(api: DagsterApi, sensor: str, seen: float) -> float:
    """When the sensor ticked, if that is after what was seen, else 0."""
    latest = api.sensor(sensor)[1]
    return latest if latest > seen else 0.0


def list_runs(api: DagsterApi, name: str) -> list[Run]:
    """The runs that load a list."""
    return api.runs(tags=[{"key": "dagster/partition", "value": name}])
