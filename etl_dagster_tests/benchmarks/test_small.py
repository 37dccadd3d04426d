"""The benchmarks at tiny sizes: what they measure is right, whatever it takes."""

import json
import math
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmarks import baseline, ccc, dnc, ledger, pages, start, tables, versus
from benchmarks.day import day_of, servers
from benchmarks.sampling import DAGSTER, OTHER, OWN, Sampler, home_of
from benchmarks.world import World
from etl_dagster.dnc import DncStore
from etl_dagster.leads.phones import valid_phones
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.sandbox.ccc_answers import litigators
from etl_dagster.sandbox.sidecar import Sidecar
from etl_dagster.settings import PROJECT
from etl_dagster_tests.cli.test_cli import NEVER_BEFORE_WORK

LEADS = 300
NUMBERS = 33_000


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same list as a store and as the pattern's table."""
    folder = tmp_path_factory.mktemp("lists")
    store, rows = folder / "store.sqlite", folder / "rows.sqlite"
    versus.make_lists(store, rows, NUMBERS, [LEADS])
    return store, rows


@pytest.fixture(scope="module")
def asked() -> list[int]:
    """Phones on the list, phones that are not, and some of area codes that no list covers."""
    world = World(NUMBERS)
    own = [area * 10_000_000 + int(n) for area in world.areas[:20] for n in world.area(area)[:20]]
    unclear = [area * 10_000_000 + 5_550_100 for area in versus.not_covered(world)]
    some = np.array([*own, *world.queries(2_000).tolist(), *unclear])
    return np.unique(some[valid_phones(some)]).tolist()


def test_the_pattern_and_the_product_find_the_same_numbers_listed(
    lists: tuple[Path, Path], asked: list[int]
) -> None:
    store, rows = lists
    with DncStore.open(store) as opened:
        verdicts = opened.lookup(np.array(asked), moment=datetime.now(UTC)).verdicts
    found, covered = baseline.check_dnc(asked, rows)
    results = baseline.phone_results(asked, dict.fromkeys(asked, False), found, covered)
    words = {Verdict.CLEAR: "clear", Verdict.LISTED: "listed", Verdict.UNKNOWN: "unknown"}
    assert [results[phone][1] for phone in asked] == [words[Verdict(one)] for one in verdicts]
    assert {result[1] for result in results.values()} == {"clear", "listed", "unknown"}


def test_the_pattern_asks_about_every_phone_and_a_failed_request_clears_nobody() -> None:
    phones = ccc.made_up(1_000).tolist()
    leads = [
        {"PHONE_1": one, "PHONE_2": other, "PHONE_3": None}
        for one, other in zip(phones[:500], phones[500:], strict=True)
    ]
    with ccc.sandbox(latency=0.0) as (url, _):
        found = baseline.check_litigators(leads, url)
        refused = baseline.check_litigators([{**leads[0], "PHONE_3": 1}], url)
    truth = dict(zip(phones, litigators(np.array(phones)).tolist(), strict=True))
    assert found == truth
    assert any(truth.values())
    assert refused == {}
    unsure = baseline.phone_results(phones[:1], refused, set(), {str(phones[0])[:3]})
    assert unsure[phones[0]] == ("unknown", "clear", "unknown")


def test_the_ccc_benchmark_holds_answers_against_the_truth() -> None:
    found = ccc.measure_schedule(3_000, rounds=1)
    assert found["phones"] == 3_000
    assert found["seconds_best"] >= found["ideal_seconds"] > 0
    right = ccc.measure_many(2_000)
    assert right["many_phones"] == 2_000


@pytest.mark.slow
def test_the_store_benchmark_holds_answers_against_the_truth(tmp_path: Path) -> None:
    world = World(NUMBERS)
    found = dnc.measure_store(world, 3_000, tmp_path)
    assert found["many_phones"] == 3_000
    assert found["numbers"] == sum(len(world.area(area)) for area in world.areas)
    changed = dnc.measure_changes(world, tmp_path)
    assert changed["changes"] == dnc.CHANGES
    rows = dnc.measure_rows(world, 3_000, tmp_path / "..")
    assert rows["rows_times_slower"] > 0


def test_the_ledger_benchmark_verifies_what_it_wrote(snowflake_server: Sidecar) -> None:
    found = dict(ledger.measure(snowflake_server.host, snowflake_server.port, 8_000, 1))
    assert found["verdicts"] == 8_000
    assert found["batches"] == ledger.CHUNKS * 2


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_product_and_pattern_decide_alike_and_a_difference_is_found(tmp_path: Path) -> None:
    rows = tmp_path / "rows.sqlite"
    with servers(tmp_path / "home", chunks=1) as (env, settings):
        versus.make_lists(settings.dnc_store, rows, NUMBERS, [LEADS])
        found = versus.measure_size(env, settings, rows, LEADS)
        assert found["leads"] == pytest.approx(LEADS, rel=0.2)
        assert found["published"] > 0
        assert found["baseline_requests"] >= math.ceil(found["leads"] / baseline.PHONES_A_GET)
        assert found["product_requests"] >= 1
        assert 0 < found["product_dagster_seconds"] < found["product_seconds"]

        code = (
            "import atexit, sys\n"
            f"heavy = {NEVER_BEFORE_WORK!r}\n"
            "tell = lambda: print('LOADED', [name for name in heavy if name in sys.modules])\n"
            "atexit.register(tell)\n"
            "from etl_dagster.cli import main\n"
            "main(prog_name='etl-dagster')\n"
        )
        day = day_of(LEADS)
        done = subprocess.run(
            [sys.executable, "-c", code, "run", "--date", f"{day}"],
            env=env, cwd=PROJECT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert "LOADED []" in done.stdout  # of the run, which decided as before
        versus.compare(settings, day)
        with closing(baseline.connect(settings)) as connection, connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {baseline.SCHEMA}.PHONE_RESULTS SET verdict = 'callable'"
                " WHERE verdict = 'blocked' AND lead_date = %s AND phone = (SELECT MIN(phone) FROM"
                f" {baseline.SCHEMA}.PHONE_RESULTS WHERE verdict = 'blocked' AND lead_date = %s)",
                (day, day),
            )
        with pytest.raises(AssertionError, match="2 rows differ"):
            versus.compare(settings, day)


@pytest.mark.slow
def test_the_start_benchmark_reaches_a_first_statement(tmp_path: Path) -> None:
    found = start.measure_all(tmp_path, rounds=1)
    assert found["python_mb"] < found["help_mb"] < found["definitions_mb"]
    assert found["import_connector_seconds"] < found["first_sql_seconds"]


def test_growth_is_told_between_the_two_largest_sizes() -> None:
    def size(leads: int, product: float, pattern: float) -> dict[str, float]:
        return {
            "leads": leads,
            "product_seconds": product,
            "baseline_seconds": pattern,
            "baseline_write_seconds": pattern / 2,
        }

    sizes = {"1": size(1_000, 50, 2), "2": size(2_000, 10, 40), "3": size(4_000, 11, 80)}
    found = versus.growth(sizes)
    assert found["product_seconds_per_1000_more"] == 0.5
    assert found["baseline_seconds_per_1000_more"] == 20
    assert (found["ratio_of_more"], found["ratio_of_more_without_writing"]) == (40, 20)
    leads = found["reach_from_leads"]  # 9 s + 0.5 s a thousand, and 20 s a thousand
    assert 20 * leads / 1_000 == pytest.approx(versus.REACH * (9 + 0.5 * leads / 1_000))
    assert "reach_from_leads" not in versus.growth({"1": sizes["1"], "2": size(2_000, 60, 4)})


@pytest.mark.parametrize("name", tables.TABLES)
def test_the_page_shows_the_figures_that_are_kept(name: str) -> None:
    page = tables.PAGE.read_text(encoding="utf-8")
    assert pages.on_page(page, name) == tables.TABLES[name](), "run `python -m benchmarks.tables`"


def test_renewing_the_page_changes_only_its_tables() -> None:
    page = tables.PAGE.read_text(encoding="utf-8")
    assert pages.renewed(page, tables.TABLES) == page
    spoilt = page.replace(pages.on_page(page, "start"), "| old |")
    assert spoilt != page
    assert pages.renewed(spoilt, tables.TABLES) == page


def test_the_sampler_tells_dagster_from_our_own(tmp_path: Path) -> None:
    file = tmp_path / "shares.json"
    command = [sys.executable, "-m", "benchmarks.sampling", str(file), "run", "--date", "x"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, check=False)
    assert done.returncode == 2
    found = json.loads(file.read_text())
    assert found["dagster_seconds"] == 0
    assert found["own_seconds"] > 0


@pytest.mark.parametrize(
    ("stack", "owner"),
    [
        (("etl_dagster", "dagster"), DAGSTER),
        (("etl_dagster", "dagster", "json"), DAGSTER),
        (("dagster", "dagster_shared"), DAGSTER),
        (("etl_dagster", "dagster", "etl_dagster"), OWN),
        (("dagster", "etl_dagster", "json"), OWN),
        (("json",), OTHER),
    ],
)
def test_seconds_are_those_of_the_innermost_code_of_dagster_or_ours(
    stack: tuple[str, ...], owner: str
) -> None:
    """A stack of code from these packages, outermost first, that waits."""
    call = partial(time.sleep, 0.2)
    for package in reversed(stack):
        names = {"inner": call}
        code = "def outer():\n    inner()\n"
        exec(compile(code, f"{home_of(package)}/part.py", "exec"), names)  # noqa: S102
        call = names["outer"]
    thread = threading.Thread(target=call)
    thread.start()
    sampler = Sampler(thread.ident or 0)
    sampler.start()
    thread.join()
    sampler.stop()
    assert sampler.seconds.most_common(1)[0][0] == owner
    assert bool(sampler.places) == (owner == DAGSTER)
