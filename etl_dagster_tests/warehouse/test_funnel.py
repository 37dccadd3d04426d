from datetime import date

from etl_dagster.warehouse.funnel import Funnel, read_day
from etl_dagster_tests.warehouse.conftest import CHUNK, DAY, NEXT, Tables

A, B = 4075550100, 4075550101


def litigator(tables: Tables, name: str) -> None:
    tables.session.execute(
        "INSERT INTO CCC_ENRICHED (lead_date, chunk, lead_id, campaign, phone_1_ccc, phone_2_ccc,"
        f" run_id) SELECT '{DAY}', 0, '{name}', 'walk_in', 'CLEAR', 'LISTED', 'r'"
    )


def test_every_lead_is_counted_in_one_class(tables: Tables) -> None:
    for name in ("callable", "litigator", "listed", "full", "unknown", "no phone",
        "invalid", "lost"):  # fmt: skip
        tables.lead(name, A, B)
    tables.judged("callable", "CALLABLE", "BLOCKED")
    litigator(tables, "callable")  # one of its phones is a litigator's; the other is called
    tables.judged("litigator", "BLOCKED", "BLOCKED")
    litigator(tables, "litigator")
    tables.judged("listed", "BLOCKED", "BLOCKED")
    tables.session.execute("UPDATE DNC_FILTERED SET phone_3_dnc = 'LISTED'")
    tables.judged("full", "BLOCKED")  # by neither: what else there is
    tables.judged("unknown", "UNKNOWN", "BLOCKED")
    tables.judged("no phone", reason="no_phone")
    tables.judged("invalid", reason="invalid_phone")
    tables.lead("another day", A, chunk=NEXT)
    day = read_day(tables.session, CHUNK.lead_date)
    # one that no stage has judged counts as unknown
    assert day.campaigns == {
        "walk_in": Funnel(
            extracted=8, no_phone=1, invalid=1, litigator=1, dnc=1, full_scrub=1, unknown=2,
            blocked=3, callable=1,
        )
    }  # fmt: skip


def test_totals_are_the_sums_of_campaigns(tables: Tables) -> None:
    for campaign, phones in (("a", (A,)), ("b", (A, B))):
        tables.lead("lead", *phones, campaign=campaign)
        tables.judged("lead", *["CALLABLE" for _ in phones], campaign=campaign)
    day = read_day(tables.session, DAY)
    assert day.total == Funnel(extracted=2, callable=2)
    assert day.phones == {"a": {"CALLABLE": 1}, "b": {"CALLABLE": 2}}
    assert Funnel(extracted=1, dnc=2) + Funnel(dnc=3) == Funnel(extracted=1, dnc=5)


def test_phones_are_counted_once_a_campaign_by_list_and_reason(tables: Tables) -> None:
    for name in ("one", "two"):
        tables.lead(name, A, B)
        tables.judged(name, "BLOCKED", "UNKNOWN")
    tables.session.execute(
        "UPDATE DNC_FILTERED SET phone_1_lists = 'national,state_fl', phone_1_reason = 'dnc:x',"
        " phone_2_reason = 'dnc:stale'"
    )
    day = read_day(tables.session, DAY)
    assert day.phones == {"walk_in": {"BLOCKED": 1, "UNKNOWN": 1}}
    assert day.lists == {"national": 1, "state_fl": 1}
    assert day.reasons == {"dnc:stale": 1}


def test_a_day_without_leads_is_empty(tables: Tables) -> None:
    day = read_day(tables.session, date(2020, 1, 1))
    assert day.total == Funnel()
    assert not day.campaigns


def test_a_campaign_without_a_lead_is_reported_where_it_is_named(tables: Tables) -> None:
    tables.lead("lead", A, campaign="b")
    day = read_day(tables.session, DAY, ["c", "b", "a"])
    assert list(day.campaigns) == ["a", "b", "c"]
    assert day.campaigns["a"] == Funnel()
    assert day.total.extracted == 1
