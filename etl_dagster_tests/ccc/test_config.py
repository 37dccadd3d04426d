"""Settings: what is refused, what is masked, where requests go."""

from pathlib import Path

import pytest

from etl_dagster.ccc import CccConfig
from etl_dagster.ccc.errors import CccConfigError


def make(**changes: object) -> CccConfig:
    values: dict[str, object] = {
        "url": "https://dataapi.dncscrub.com",
        "api_key": "an-invented-key",
        "state_dir": Path("/nowhere"),
    }
    return CccConfig(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("https://dataapi.dncscrub.com", "https://dataapi.dncscrub.com/v1.5/Scrub/litigator"),
        ("https://dataapi.dncscrub.com/", "https://dataapi.dncscrub.com/v1.5/Scrub/litigator"),
        ("https://example.test/other/path", "https://example.test/other/path"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1.5/Scrub/litigator"),
        ("http://localhost:1/x", "http://localhost:1/x"),
    ],
)
def test_the_address_may_be_the_service_or_the_endpoint(url: str, endpoint: str) -> None:
    assert make(url=url).endpoint == endpoint


@pytest.mark.parametrize(
    "changes",
    [
        {"url": ""},
        {"url": "dataapi.dncscrub.com"},
        {"url": "http://dataapi.dncscrub.com"},
        {"url": "ftp://127.0.0.1"},
        {"url": "https://u:p@dataapi.dncscrub.com"},
        {"url": "https://dataapi.dncscrub.com/?loginId=x"},
        {"api_key": ""},
        {"api_key": " key"},
        {"api_key": "key\r\nHost: x"},
        {"api_key": "schlüssel"},
        {"batch_size": 0},
        {"batch_size": 10_001},
        {"min_workers": 0},
        {"min_workers": 5, "max_workers": 4},
        {"max_retries": -1},
        {"requests_per_minute": 0},
        {"read_timeout": 0.0},
        {"read_timeout": float("nan")},
        {"breaker_failures": 0},
    ],
    ids=repr,
)
def test_what_cannot_work_is_refused_at_once(changes: dict[str, object]) -> None:
    with pytest.raises(CccConfigError) as caught:
        make(**changes)
    assert "invented" not in str(caught.value)


def test_defaults_are_the_documented_ones() -> None:
    config = make()
    assert (config.batch_size, config.max_retries, config.requests_per_minute) == (1_000, 4, 1_000)
    assert (config.min_workers, config.max_workers, config.workers_per_batch) == (2, 16, 1.5)
    assert (config.breaker_failures, config.breaker_reset_seconds) == (5, 60.0)
    assert config.breaker_successes == 2
    policy = config.retry_policy
    assert [policy.delay(n, None, draw=0) for n in (1, 2, 3, 4, 9)] == [1, 2, 4, 8, 30]


def test_the_key_is_masked() -> None:
    assert "invented" not in f"{make()!r} {make()}"
