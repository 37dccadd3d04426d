"""What a preview foretells is what the run then does, to the last phone and request."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import pytest

from etl_dagster.leads.campaigns import load_campaigns
from etl_dagster.leads.policy import Policy
from etl_dagster.report.preview import Preview, preview_day
from etl_dagster.warehouse.funnel import read_day
from etl_dagster.warehouse.tables import TABLES
from etl_dagster_tests.defs.line import (
    CAMPAIGN,
    CLEAN,
    DAY,
    EARLIER,
    LISTED,
    Line,
    Result,
    crowd,
    person,
)

pytestmark = pytest.mark.slow

PHONES = (
    "SELECT phone_1 AS phone FROM LEADS WHERE lead_date = '{day}'"
    " UNION SELECT phone_2 FROM LEADS WHERE lead_date = '{day}'"
    " UNION SELECT phone_3 FROM LEADS WHERE lead_date = '{day}'"
)


SHARERS = [person(300 + n, CLEAN[6_000 + n % 3], CLEAN[6_100]) for n in range(12)]
"""People whose phones are others' too, in whatever chunk these are."""


def foretold(
    line: Line, day: date = DAY, *, campaigns: Sequence[str] = (), force: bool = False
) -> Preview:
    with line.session() as session:
        return preview_day(
            session,
            day,
            load_campaigns(line.settings.campaigns_dir),
            names=campaigns,
            force=force,
            settings=line.settings,
            policy=Policy.load(),
            moment=datetime.now(UTC),
        )


def assert_comes_true(line: Line, preview: Preview, **choices: Any) -> Result:
    """Run the day that was previewed, with the same choices, and compare."""
    line.ccc.reset()
    result = line.run(preview.lead_date, force=preview.force, **choices)
    assert result.success, result.error
    day, run_id = preview.lead_date, result.run.run_id
    said = {entry.user_message for entry in line.instance.all_logs(run_id)}
    with line.session() as session:
        funnels = read_day(session, day, [one.campaign for one in preview.campaigns]).campaigns
    for campaign in preview.campaigns:
        assert f"{day}: {campaign}" in said
        ours = f"campaign = '{campaign.campaign}' AND run_id = '{run_id}'"
        assert line.count("LEADS", ours) == campaign.leads
        funnel = funnels[campaign.campaign]
        assert (funnel.no_phone, funnel.invalid) == (campaign.no_phone, campaign.invalid)
    assert line.count("LEADS", f"lead_date = '{day}' AND run_id <> '{run_id}'") == (
        preview.staying_leads
    )
    assert line.count(f"({PHONES.format(day=day)})", "phone IS NOT NULL") == preview.phones
    answers = line.count("PHONE_VERDICTS", f"source = 'ccc' AND run_id = '{run_id}'")
    assert answers == preview.phones_to_ask
    sent = line.ccc.stats()
    assert sent["requests"] == sent["answered"] == preview.requests
    assert sent["phones"] == preview.phones_to_ask + 2 * len(preview.asked)
    return result


def everything(line: Line) -> dict[str, list[str]]:
    """All that the schema holds for longer than a session, every column of it."""
    names = line.rows(
        "SELECT table_name FROM information_schema.tables"
        f" WHERE table_schema = '{line.settings.snowflake_schema}'"
    )
    found = {row["TABLE_NAME"] for row in names}
    assert {name.upper() for name in TABLES} < found
    return {name: sorted(map(str, line.rows(f"SELECT * FROM {name}"))) for name in sorted(found)}


def outdate_answers(line: Line, which: str = "TRUE") -> None:
    """Let CCC answers run out in some hours, which is too soon for a run."""
    with line.session() as session:
        session.execute(
            "UPDATE PHONE_VERDICTS SET valid_until = DATEADD(hour, 1, SYSDATE())"
            f" WHERE source = 'ccc' AND {which}"
        )


def two_campaigns(line: Line) -> None:
    line.campaign("walk_in", CAMPAIGN.replace("WHERE", "WHERE score < 100 AND"))
    line.campaign("mailing", CAMPAIGN.replace("WHERE", "WHERE score >= 100 AND"))


def test_a_fresh_day_comes_true(line: Line) -> None:
    nameless = [person(200, CLEAN[9], first_name=None), person(201, CLEAN[9], last_name=" - ")]
    doubles = [person(0, LISTED[0]), person(4)]  # of people in the crowd
    line.people([*crowd(60), *SHARERS, *nameless, *doubles])
    preview = foretold(line)
    (campaign,) = preview.campaigns
    assert (campaign.rows, campaign.nameless, campaign.duplicates) == (76, 2, 2)
    assert campaign.leads == 72
    assert campaign.no_phone == campaign.invalid > 0
    assert preview.phones == preview.phones_to_ask > 60
    assert preview.phones_on_record == 0
    assert len(preview.asked) == 2
    assert not preview.problems
    assert_comes_true(line, preview)


@pytest.mark.slow
def test_a_day_with_part_of_the_phones_on_record_comes_true(line: Line) -> None:
    line.people([*crowd(24, day=EARLIER), *crowd(60), *SHARERS])
    assert line.run(EARLIER).success
    outdate_answers(line, "MOD(phone, 3) = 0")
    preview = foretold(line)
    assert preview.total.still_valid > 0
    assert 0 < preview.phones_on_record < preview.phones
    assert preview.phones_to_ask == preview.phones - preview.phones_on_record
    assert_comes_true(line, preview)

    again = foretold(line)
    assert again.phones_on_record == again.phones == preview.phones
    assert (again.phones_to_ask, again.requests) == (0, 0)
    assert_comes_true(line, again)


@pytest.mark.slow
def test_force_comes_true_and_asks_in_each_chunk_that_has_a_phone(line: Line) -> None:
    line.people([*crowd(24, day=EARLIER), *crowd(60), *SHARERS])
    assert line.run(EARLIER).success
    preview = foretold(line, force=True)
    assert preview.total.still_valid == 0
    assert preview.phones_on_record > 0
    assert preview.phones_to_ask > preview.phones
    assert_comes_true(line, preview)


@pytest.mark.slow
def test_one_campaign_comes_true_with_the_leads_of_others_that_stay(line: Line) -> None:
    two_campaigns(line)
    line.people([*crowd(24), *crowd(24, start=104)])
    alone = foretold(line, campaigns=["walk_in"])
    assert [one.campaign for one in alone.campaigns] == ["walk_in"]
    assert alone.staying_leads == 0
    assert_comes_true(line, alone, campaigns=["walk_in"])

    assert_comes_true(line, foretold(line))
    outdate_answers(line, "MOD(phone, 2) = 0")
    one = foretold(line, campaigns=["mailing"])
    assert one.staying_leads == one.total.leads == 24
    assert one.phones > foretold(line, EARLIER, campaigns=["mailing"]).phones
    assert one.phones_to_ask > 0
    assert_comes_true(line, one, campaigns=["mailing"])
    forced = foretold(line, campaigns=["mailing"], force=True)
    assert_comes_true(line, forced, campaigns=["mailing"])


def test_a_preview_changes_no_table_and_asks_nobody(line: Line) -> None:
    two_campaigns(line)
    line.people([*crowd(16), *crowd(16, start=104), *crowd(16, day=EARLIER)])
    line.campaign(
        "mailing", f"-- may be empty\n{CAMPAIGN}".replace("WHERE", "WHERE score > 99 AND")
    )
    assert line.run(EARLIER).success
    outdate_answers(line)
    before = everything(line)
    line.ccc.reset()
    for day in (EARLIER, DAY):
        for campaigns in ((), ("walk_in",)):
            for force in (False, True):
                preview = foretold(line, day, campaigns=campaigns, force=force)
                assert preview.phones_to_ask
                assert not preview.problems
    assert everything(line) == before
    assert line.ccc.stats()["requests"] == 0
    with line.session() as session:
        assert not session.rows("SHOW TABLES LIKE 'DAY_%'")


def test_a_campaign_without_rows_is_told_beside_the_others(line: Line) -> None:
    two_campaigns(line)
    line.people(crowd(16))
    preview = foretold(line)
    mailing, walk_in = preview.campaigns
    assert set(mailing.numbers.values()) == {0}
    assert walk_in.leads == 16
    (problem,) = preview.problems
    assert "mailing.sql: the query returned no row" in problem
    result = line.run()
    assert not result.success
    assert problem in result.error
    assert line.ccc.stats()["requests"] == 0

    line.campaign(
        "mailing", f"-- may be empty\n{CAMPAIGN}".replace("WHERE", "WHERE score > 99 AND")
    )
    allowed = foretold(line)
    assert allowed.campaigns == preview.campaigns
    assert not allowed.problems
    assert_comes_true(line, allowed)


# --- in Dagster -------------------------------------------------------------------------------


def job(line: Line, **config: Any) -> dg.ExecuteInProcessResult:
    return (
        line.defs()
        .resolve_job_def("preview_day")
        .execute_in_process(
            instance=line.instance,
            partition_key=str(DAY),
            run_config={"ops": {"preview": {"config": config}}},
            raise_on_error=False,
        )
    )


def shown(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """The metadata of the step's output, as the run page shows them."""
    (event,) = [one for one in result.all_events if one.is_successful_output]
    return {name: one.value for name, one in event.step_output_data.metadata.items()}


def test_the_job_shows_the_numbers_of_its_day(make_line: Callable[..., Line]) -> None:
    line = make_line(CCC_PRICE_PER_1000="2.5")
    two_campaigns(line)
    line.people([*crowd(16), *crowd(16, start=104), *crowd(8, day=EARLIER)])
    result = job(line)
    assert result.success
    preview, numbers = foretold(line), shown(result)
    heads = (
        "campaign | rows | without names | duplicates | still valid | leads | no phone | invalid"
    )
    assert numbers.pop("preview").splitlines()[:4] == [
        f"| {heads} |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| mailing | 16 | 0 | 0 | 0 | 16 | 2 | 2 |",
        "| walk_in | 16 | 0 | 0 | 0 | 16 | 2 | 2 |",
    ]
    assert numbers == {
        **preview.total.numbers,
        **preview.asking,
        "cost": preview.cost,
        "would_fail": False,
    }
    assert result.dagster_run.tags["dagster/partition"] == str(DAY)

    one = shown(job(line, campaigns=["walk_in"], force=True))
    expected = foretold(line, campaigns=["walk_in"], force=True)
    assert one["phones_to_ask"] == expected.phones_to_ask < preview.phones_to_ask


def test_the_job_says_that_a_run_would_fail_and_does_not_fail_itself(line: Line) -> None:
    two_campaigns(line)
    line.people(crowd(16))
    result = job(line)
    assert result.success
    numbers = shown(result)
    assert numbers["would_fail"] is True
    assert "cost" not in numbers
    assert "**The run would fail:** " in numbers["preview"]
    assert "Set `CCC_PRICE_PER_1000`" in numbers["preview"]
    said = [entry.user_message for entry in line.instance.all_logs(result.run_id)]
    assert any("the run would fail: " in message for message in said)


def test_the_job_fails_on_a_campaign_that_there_is_not(line: Line) -> None:
    result = job(line, campaigns=["mailing"])
    assert not result.success
    (failure,) = [one for one in result.all_events if one.is_step_failure]
    cause = failure.step_failure_data.error.cause
    assert cause
    assert "no campaign 'mailing'; there are walk_in" in cause.message
