"""A day with the full scrub required: the second service of CCC, from its answers to the tables."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from etl_dagster.definitions import build_defs
from etl_dagster.defs.partitions import range_tags
from etl_dagster.defs.resources import build_resources
from etl_dagster.dnc import DncStore
from etl_dagster.evidence import gathering, pack
from etl_dagster.evidence.gathering import Origin
from etl_dagster.evidence.verify import prove
from etl_dagster.leads.campaigns import load_campaigns
from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.policy import Policy
from etl_dagster.report.preview import preview_day
from etl_dagster.sandbox.ccc_faults import Fault
from etl_dagster.settings import Settings
from etl_dagster.warehouse.funnel import read_day
from etl_dagster.warehouse.verification import verify
from etl_dagster_tests.defs.line import CLEAN, DAY, LISTED, LITIGATORS, Line, Result, person
from etl_dagster_tests.defs.test_scrub_report import report
from etl_dagster_tests.test_definitions import PRODUCTION

pytestmark = pytest.mark.slow

POLICY = """
required_sources = ["ccc", "ccc_full", "dnc"]
[ccc]
ttl_days = 7
[ccc_full]
clear_codes = ["C", "E", "O", "W"]
block_line_types = ["voip"]
[dnc]
max_age_days = 31
"""
NATIONAL = "National (USA) 2003-06-01;;;"
SAID = [
    ({}, "CALLABLE", ""),
    ({"ResultCode": "D", "Reason": NATIONAL}, "BLOCKED", "ccc_full:dnc"),
    ({"ResultCode": "D", "Reason": "Litigator"}, "BLOCKED", "ccc_full:dnc"),
    ({"ResultCode": "E"}, "CALLABLE", ""),
    ({"ResultCode": "O", "Reason": NATIONAL}, "CALLABLE", ""),
    ({"ResultCode": "O", "Reason": "Project;;;"}, "BLOCKED", "ccc_full:overrides_too_much"),
    ({"ResultCode": "Q"}, "BLOCKED", "ccc_full:unlisted_code"),
    ({"ResultCode": "X", "Reason": NATIONAL}, "BLOCKED", "ccc_full:industry_exemption"),
    ({"ResultCode": "W", "LineType": "Wireless"}, "CALLABLE", ""),
    ({"LineType": "VoIP"}, "BLOCKED", "ccc_full:line_voip"),
    ({"LineType": "?"}, "BLOCKED", "ccc_full:line_unknown"),
    ({"DoNotCallToday": "Y"}, "UNKNOWN", "ccc_full:do_not_call_today"),
]
"""What is answered of a phone, and what becomes of it."""
SHARED = (
    *("ETL_HOME", "ETL_CHUNKS", "ETL_CAMPAIGNS_DIR", "ETL_CONTACTS_TABLE", "ETL_START_DATE"),
    *("ETL_POLICY_FILE", "SNOWFLAKE_SCHEMA"),
)
"""Settings that a production deployment and the world of a test have in common."""
PHONES = CLEAN[: len(SAID)]


@pytest.fixture
def world(make_line: Callable[..., Line], tmp_path: Path) -> Line:
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY, encoding="utf-8")
    line = make_line(ETL_CHUNKS="1", ETL_POLICY_FILE=str(policy), CCC_FULL_PRICE_PER_1000="4")
    assert line.ccc.full
    clear = {"ResultCode": "C", "Reason": ";;;", "LineType": "AllOther"}
    line.ccc.full.said |= {
        phone: {**clear, **said} for phone, (said, *_) in zip(PHONES, SAID, strict=True)
    }
    for phone in (LISTED[0], LITIGATORS[0], CLEAN[50], CLEAN[51]):
        line.ccc.full.said[phone] = {**clear, "ResultCode": "E"}
    return line


def test_a_day_with_the_full_scrub(world: Line, tmp_path: Path) -> None:
    line = world
    others = [LISTED[0], LITIGATORS[0], CLEAN[50]]
    line.opt_out(CLEAN[50])  # which no relationship with them overrides, and no list of others
    line.people([person(number, phone) for number, phone in enumerate([*PHONES, *others])])
    with line.session() as session:
        policy = Policy.load(line.settings.policy_file)
        campaigns = load_campaigns(line.settings.campaigns_dir)
        asking = preview_day(session, DAY, campaigns, names=(), force=False, policy=policy,
            settings=line.settings, moment=datetime.now(UTC)).asking  # fmt: skip
    assert asking["ccc_full_phones_to_ask"] == asking["phones_to_ask"] == len(PHONES) + 3
    assert asking["ccc_full_cost"] == 0.06
    result = line.run()
    assert result.success, result.error
    assert line.ccc.full
    assert asking["ccc_full_requests"] == line.ccc.full.stats()["requests"] == 3
    rows = line.rows(
        "SELECT l.phone_1 AS phone, f.phone_1_verdict AS verdict, f.phone_1_reason AS reason"
        " FROM LEADS AS l JOIN DNC_FILTERED AS f ON f.lead_id = l.lead_id"
    )
    assert {row["PHONE"]: (row["VERDICT"], row["REASON"]) for row in rows} == {
        **{phone: tuple(then) for phone, (_, *then) in zip(PHONES, SAID, strict=True)},
        LISTED[0]: ("BLOCKED", "dnc:national"),
        LITIGATORS[0]: ("BLOCKED", "ccc:litigator"),
        CLEAN[50]: ("BLOCKED", "dnc:internal"),
    }
    clear = {
        phone for phone, (_, verdict, _) in zip(PHONES, SAID, strict=True) if verdict[0] == "C"
    }
    assert line.callable_phones() == clear
    with line.session() as session:
        total = read_day(session, DAY).total
    assert (total.litigator, total.dnc) == (1, 2)
    assert total.full_scrub == sum(verdict[0] == "B" for _, verdict, _ in SAID)
    assert line.count("CALLABLE_NOW") == len(clear)
    # what it said of a clear phone's line is on record
    kinds = line.rows("SELECT reason FROM PHONE_VERDICTS WHERE verdict = 'CLEAR' AND reason <> ''")
    assert sorted({row["REASON"] for row in kinds}) == ["landline", "wireless"]
    with line.session() as session:
        found = verify(session)
        assert found.whole, found.flaws
        assert found.without_answer == 0
        for phone in PHONES[:2]:  # a clear one and a listed one
            evidence = gathering.gather(
                session, phone, only=None, in_force={}, origin=Origin(
                    ledger="", deployment="local", ui_url="", made_at=datetime.now(UTC)
                ), open_store=lambda _: DncStore.open(line.settings.dnc_store),
            )  # fmt: skip
            pack.write(evidence, tmp_path / str(phone))
            proof = prove(tmp_path / str(phone))
            assert not proof.wrong + proof.missing
            assert sum("is what was answered" in one for one in proof.proven) == 2
    assert line.count("CCC_ANSWERS") == line.count("SCRUB_BATCHES", "source <> 'dnc'")
    # again: nothing that was answered is bought twice, but what held for that day alone
    line.ccc.full.said[PHONES[-1]]["DoNotCallToday"] = ""
    assert line.run().success
    assert line.bought_twice() == set()
    assert line.ccc.full.repeated - {5039367187, 7075276405} == {PHONES[-1]}
    asked = line.count("PHONE_VERDICTS", "source = 'ccc_full'")
    page, metadata = report(line)
    assert metadata["ccc_full_cost"] == pytest.approx(asked * 4 / 1000, abs=1e-4)
    assert f"| full scrub: phones asked | {asked} |" in page
    assert line.callable_phones() == {*clear, PHONES[-1]}


def test_a_full_scrub_that_fails_clears_nobody_and_is_asked_again(world: Line) -> None:
    line, phone = world, CLEAN[51]
    assert line.ccc.full
    line.people([person(1, phone)])
    line.ccc.full.faults.add(Fault(kind="status", status=500))
    result = line.run()
    assert not result.success
    assert line.callable_phones() == set()
    assert line.count("PHONE_VERDICTS", "source = 'ccc' AND verdict = 'CLEAR'") == 1
    line.ccc.full.faults.clear()
    assert line.run().success
    assert line.callable_phones() == {phone}
    assert line.bought_twice() == set()


def test_without_an_address_the_day_fails_before_anything_is_bought(world: Line) -> None:
    line = world
    line.people([person(1, CLEAN[51])])
    ours = {name: line.environment[name] for name in SHARED}
    settings = Settings.from_environment({**PRODUCTION, **ours})
    job = build_defs(settings, resource_overrides=build_resources(line.settings))
    done = Result(
        job.resolve_job_def("scrub_day").execute_in_process(
            instance=line.instance, tags=range_tags(Chunk(DAY, 0), Chunk(DAY, 0)),
            raise_on_error=False,
        )
    )  # fmt: skip
    assert done.steps == {"leads": "success", "ccc_enriched": "failure"}
    assert "CCC_FULL_API_URL is not set, and the policy requires ccc_full" in done.error
    assert line.bought() == set()
