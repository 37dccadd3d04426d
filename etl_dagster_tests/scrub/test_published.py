"""What another policy published is held to the one in force: services, and how long lists hold."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from etl_dagster.dnc import DncStore
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.scrub.published import retract_outdated
from etl_dagster_tests.dnc.support import write_list
from etl_dagster_tests.warehouse.conftest import CHUNK, POLICY, Tables

BEGAN = datetime.now(UTC).replace(microsecond=0)
WEEK, MONTHS, YEAR = (BEGAN + timedelta(days=days) for days in (7, 60, 365))
FINE, OURS, BY_LISTS, BY_SERVICE, UNANSWERED, LISTED = range(4075550100, 4075550106)


def test_what_the_policy_in_force_clears_for_less_is_taken_back(
    tables: Tables, tmp_path: Path
) -> None:
    published = {
        FINE: ("of another policy", WEEK),
        OURS: (POLICY.hash, MONTHS),
        BY_LISTS: ("of another policy", MONTHS),  # the lists are good for 31 days
        BY_SERVICE: ("of another policy", WEEK),
        UNANSWERED: ("of another policy", WEEK),
        LISTED: ("of another policy", MONTHS),  # which is for `retract_listed` to tell
    }
    for number, (phone, (policy, until)) in enumerate(published.items()):
        place = {"LEAD_DATE": CHUNK.lead_date, "CHUNK": CHUNK.number, "CAMPAIGN": "walk_in"}
        ends = {"CALLABLE_UNTIL": until, "PUBLISHED_AT": BEGAN, "POLICY_HASH": policy}
        lead = {"LEAD_ID": str(number), "PHONE_2": phone, "RUN_ID": "r"}
        tables.insert("CALLABLE_LEADS", {**place, **ends, **lead})
        tables.lead(str(number), None, phone)
    tables.noted("ccc", Verdict.CLEAR, FINE, BY_LISTS, LISTED, until=YEAR)
    tables.noted("ccc", Verdict.CLEAR, OURS, BY_SERVICE, until=WEEK - timedelta(seconds=1))
    with DncStore.create(tmp_path / "dnc.sqlite", max_age_days=31) as store:
        national = write_list(tmp_path / "n.txt", [LISTED])
        store.add_list("national", [national], as_of=BEGAN - timedelta(hours=1))

        def taken_back() -> tuple[int, set[int]]:
            leads = retract_outdated(tables.session, store, CHUNK, POLICY)
            rows = tables.rows("SELECT phone_2 FROM CALLABLE_LEADS")
            return leads, published.keys() - {int(row["PHONE_2"]) for row in rows}

        assert taken_back() == (3, {BY_LISTS, BY_SERVICE, UNANSWERED})
        assert taken_back()[0] == 0
        tables.session.execute(f"DELETE FROM CALLABLE_LEADS WHERE phone_2 <> {OURS}")
        assert taken_back()[0] == 0
