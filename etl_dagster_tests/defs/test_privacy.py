"""Nobody's data in logs, output, events, metadata or reports: not of good runs, not of failing."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from etl_dagster.sandbox.ccc_start import SANDBOX_KEY
from etl_dagster.sandbox.snowflake import NAME
from etl_dagster.warehouse.errors import WarehouseError
from etl_dagster_tests.defs.line import CAMPAIGN, DAY, Line, crowd

PEOPLE = crowd(24)


def forbidden() -> set[str]:
    """What belongs to somebody, in every form in which it occurs."""
    texts = {SANDBOX_KEY}
    for one in PEOPLE:
        texts |= {one[name] for name in ("first_name", "last_name", "address", "email_1")}
        for place in (1, 2, 3):
            phone = one[f"phone_{place}"]
            if phone and len(phone) == 10:
                texts |= {phone, f"({phone[:3]}) {phone[3:6]}-{phone[6:]}", phone[3:]}
    return texts


def found_in(text: str) -> set[str]:
    text = text.lower()
    return {one for one in forbidden() if one.lower() in text}


@pytest.fixture
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """All loggers there are, at DEBUG, into what pytest captures."""
    caplog.set_level(logging.DEBUG)
    every = logging.root.manager.loggerDict.values()
    loggers = [one for one in every if isinstance(one, logging.Logger)]
    levels = [(one, one.level, one.propagate, one.disabled) for one in loggers]
    for one in loggers:
        one.setLevel(logging.DEBUG)
        one.propagate, one.disabled = True, False
    yield
    for one, level, propagate, disabled in levels:
        one.setLevel(level)
        one.propagate, one.disabled = propagate, disabled


def events(line: Line, run: Any) -> str:
    """All that Dagster has stored of a run: events, logs, metadata, errors."""
    entries: Any = line.instance.all_logs(run.run_id)
    assert len(entries) > 10
    return "\n".join(entry.to_json() for entry in entries)


FAULTS: dict[str, Callable[[Line], object]] = {
    "none": lambda _: None,
    "campaign fails on a value": lambda line: line.campaign(
        "walk_in", CAMPAIGN.replace("city AS", "CAST(last_name AS NUMBER)::VARCHAR AS")
    ),
    "campaign names a value": lambda line: line.campaign(
        "walk_in", CAMPAIGN.replace("WHERE", "WHERE TO_DATE(first_name) = day AND")
    ),
    "wrong answers": lambda line: line.fault("wrong_canary"),
    "refused batch": lambda line: line.fault("reject", phones=(int(PEOPLE[0]["phone_1"]),)),
    "phones that were not asked": lambda line: line.fault("extra"),
    "broken store": lambda line: line.settings.dnc_store.write_bytes(b"x" * 5_000),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.usefixtures("everything_is_logged")
def test_a_run_tells_nothing_of_anybody(
    one_chunk: Line,
    fault: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    line = one_chunk
    line.people(PEOPLE)
    FAULTS[fault](line)
    caplog.clear()  # what the test itself did to get there
    result = line.run()
    assert result.success is (fault in {"none", "refused batch"}), result.error
    stored = events(line, result.run)
    if result.success:
        assert line.count("CALLABLE_LEADS") > 0
        report = line.run(job="report_day", partition_key=str(DAY))
        stored += events(line, report.run)
        folder = line.settings.home / "reports"
        stored += "".join(path.read_text("utf-8") for path in folder.iterdir())
        assert "walk_in" in stored
    server = (line.settings.home / NAME / "server.log").read_text("utf-8")
    output = capfd.readouterr()
    logged = "\n".join(f"{record.name} {record.getMessage()}" for record in caplog.records)
    assert len(caplog.records) > 100, "the loggers were not heard"
    leaks = {
        (record.name, record.levelname)
        for record in caplog.records
        if found_in(record.getMessage())
    }
    assert leaks == set()
    assert found_in(caplog.text + logged) == set()
    assert found_in(output.out + output.err + server) == set()
    assert found_in(stored) == set()


@pytest.mark.usefixtures("everything_is_logged")
def test_a_question_about_a_phone_is_not_logged(
    one_chunk: Line, caplog: pytest.LogCaptureFixture
) -> None:
    phone, name = PEOPLE[0]["phone_1"], PEOPLE[0]["last_name"]
    with one_chunk.session() as session:
        caplog.clear()
        assert session.rows("SELECT %(phone)s", {"phone": phone}) == [(phone,)]
        with pytest.raises(WarehouseError) as refusal:
            session.rows("SELECT TO_DATE(%(name)s), %(phone)s", {"name": name, "phone": phone})
    assert any(record.name.startswith("snowflake.connector") for record in caplog.records)
    assert found_in(caplog.text + str(refusal.value)) == set()


def test_what_is_looked_for_is_found_where_it_is(one_chunk: Line) -> None:
    """The check itself can fail: the same search finds everybody in the table of leads."""
    one_chunk.people(PEOPLE)
    assert one_chunk.run().success
    text = str(one_chunk.rows("SELECT * FROM LEADS"))
    assert found_in(text) >= {PEOPLE[0]["last_name"], PEOPLE[0]["phone_1"], PEOPLE[0]["email_1"]}
