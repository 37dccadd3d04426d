from typing import Any

import pytest

from etl_dagster.report.preview import LABELS, CampaignPreview, Preview
from etl_dagster_tests.warehouse.conftest import DAY


def campaign(name: str = "walk_in", **changes: int) -> CampaignPreview:
    counts = {
        "rows": 20, "nameless": 1, "duplicates": 2, "still_valid": 3, "no_phone": 4, "invalid": 5,
    }  # fmt: skip
    return CampaignPreview(campaign=name, **{**counts, **changes})


def preview(*asked: int, **changes: Any) -> Preview:
    values: dict[str, Any] = {
        "lead_date": DAY,
        "force": False,
        "campaigns": (campaign(), campaign("mailing", rows=30)),
        "staying_leads": 0,
        "phones": 5_000,
        "phones_on_record": 0,
        "batch_size": 1_000,
        "requests_per_minute": 60,
        "price_per_1000": None,
        "problems": (),
    }
    return Preview(asked=asked, **{**values, **changes})


def test_the_total_is_the_sum_of_the_campaigns() -> None:
    assert campaign().leads == 14
    assert preview().total.numbers == {
        "rows": 50,
        "nameless": 2,
        "duplicates": 4,
        "still_valid": 6,
        "leads": 38,
        "no_phone": 8,
        "invalid": 10,
    }
    assert set(preview(campaigns=()).total.numbers.values()) == {0}


@pytest.mark.parametrize(
    ("asked", "requests"),
    [((), 0), ((1,), 2), ((1_000,), 2), ((1_001,), 3), ((1, 1), 4), ((2_500, 999), 6)],
)
def test_each_chunk_that_asks_begins_with_a_canary(asked: tuple[int, ...], requests: int) -> None:
    found = preview(*asked)
    assert found.phones_to_ask == sum(asked)
    assert found.requests == found.seconds_at_rate_limit == requests


def test_the_cost_is_that_of_the_phones_where_the_price_is_known() -> None:
    assert preview(1_000, 234).cost is None
    assert preview(1_000, 234, price_per_1000=2.5).cost == 3.08
    assert preview(1_000, price_per_1000=0.0).cost == 0
    assert preview(price_per_1000=2.5).cost == 0


def test_every_number_has_a_name_for_people() -> None:
    found = preview(1, full=preview(1, price_per_1000=4.0))
    assert [*found.total.numbers, *found.asking, "cost"] == list(LABELS)
