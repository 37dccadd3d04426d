"""A policy that becomes stricter holds at once for what an older one published."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from etl_dagster_tests.defs.line import CLEAN, DAY, EARLIER, Line, person
from etl_dagster_tests.defs.test_dnc_assets import requested

pytestmark = pytest.mark.slow

LOOSE = {"sources": '["ccc", "dnc"]', "ttl": 7, "age": 31, "more": ""}
PHONES = CLEAN[1:4]


@pytest.fixture
def published(make_line: Callable[..., Line], tmp_path: Path) -> Line:
    """Two days, published under a loose policy, and held against lists and policy since."""
    policy = tmp_path / "policy.toml"
    say(policy)
    line = make_line(ETL_CHUNKS="1", ETL_POLICY_FILE=str(policy))
    line.people([person(1, PHONES[0], day=EARLIER), person(2, *PHONES[1:])])
    for day in (EARLIER, DAY):
        assert line.run(day).success
    assert line.run(job="retract_listed", tags={}).success
    assert requested(line, "dnc_changes") == []
    assert line.callable_phones() == set(PHONES)
    return line


def say(file: Path, **changes: object) -> None:
    """Write the policy file."""
    policy = {**LOOSE, **changes}
    file.write_text(
        f"required_sources = {policy['sources']}\n[ccc]\nttl_days = {policy['ttl']}\n"
        f"[dnc]\nmax_age_days = {policy['age']}\n{policy['more']}",
        encoding="utf-8",
    )


def change(line: Line, **changes: object) -> None:
    """Change the policy, and do what the sensor asks for then."""
    say(Path(line.environment["ETL_POLICY_FILE"]), **changes)
    assert len(requested(line, "dnc_changes")) == 1
    assert line.run(job="retract_listed", tags={}).success
    assert requested(line, "dnc_changes") == []


def test_what_is_valid_for_less_now_is_taken_back_until_its_day_is_run(published: Line) -> None:
    line = published
    windows = "SELECT DISTINCT basis FROM CALL_WINDOWS"
    before = line.rows(windows)
    change(line, ttl=14, more='[hours.states]\nFL = "09:00-20:00"\n')
    assert line.callable_phones() == set(PHONES)  # what that policy clears for as long stays
    assert line.count("CALLABLE_NOW") == 2
    assert line.rows(windows) != before  # while its hours hold at once

    change(line, ttl=3)
    assert line.callable_phones() == set()
    assert line.count("CALLABLE_NOW") == 0
    for day in (EARLIER, DAY):
        assert line.run(day).success
    assert line.callable_phones() == set(PHONES)
    assert line.bought_twice() == set()
    (row,) = line.rows("SELECT MAX(callable_until) AS ends FROM CALLABLE_NOW")
    assert row["ENDS"].replace(tzinfo=UTC) < datetime.now(UTC) + timedelta(days=3)
    assert requested(line, "dnc_changes") == []

    # a run that began before the change goes on under the older policy, and ends after it
    file = Path(line.environment["ETL_POLICY_FILE"])
    strict = file.read_text()
    say(file)
    assert line.run().success
    file.write_text(strict)
    assert len(requested(line, "dnc_changes")) == 1
    assert line.run(job="retract_listed", tags={}).success
    assert line.callable_phones() == {PHONES[0]}
    assert requested(line, "dnc_changes") == []

    change(line, sources='["dnc"]')  # which is no service at all
    assert line.callable_phones() == {PHONES[0]}


def test_a_policy_that_cannot_be_read_fails_a_run_which_people_are_told_of(
    published: Line,
) -> None:
    defs = published.defs()
    sensor = defs.resolve_sensor_def("dnc_changes")
    parts = {name: (defs.resources or {})[name] for name in sensor.required_resource_keys}
    Path(published.environment["ETL_POLICY_FILE"]).write_text("?", encoding="utf-8")
    with dg.build_sensor_context(instance=published.instance, resources=parts) as context:
        assert isinstance(sensor(context), dg.RunRequest)


def test_whatever_became_stricter_takes_back_what_it_does_not_clear(published: Line) -> None:
    line = published
    with line.session() as session:
        session.execute("CREATE TABLE KEPT AS SELECT * FROM CALLABLE_LEADS")
    for stricter in (
        {"sources": '["ccc", "ccc_full", "dnc"]'},
        {"age": 3},
        {"more": '[dnc.lists]\nnational = "everywhere"\nstate_fl = "everywhere"\n'},
    ):
        change(line, **stricter)
        assert line.callable_phones() == set(), stricter
        with line.session() as session:
            session.execute("INSERT INTO CALLABLE_LEADS SELECT * FROM KEPT")

    # one of the days was published until earlier: that long its answers are valid still
    with line.session() as session:
        session.execute(
            "UPDATE CALLABLE_LEADS SET callable_until = DATEADD(day, -4, callable_until)"
            f" WHERE phone_1 = {PHONES[0]}"
        )
    change(line, ttl=4)
    assert line.callable_phones() == {PHONES[0]}
