from pathlib import Path

import pytest

from etl_dagster.leads.policy import Policy, PolicyError

GOOD = 'required_sources = ["dnc", "ccc"]\n[ccc]\nttl_days = 7\n[dnc]\nmax_age_days = 31\n'


def test_the_built_in_policy_requires_every_source() -> None:
    policy = Policy.load()
    assert policy.required_sources == ("ccc", "dnc")
    assert policy.dnc_max_age_days == 31


def test_the_hash_is_of_the_meaning(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text("# a comment\n" + GOOD)
    assert Policy.load(file).hash == Policy.load().hash
    file.write_text(GOOD.replace("ttl_days = 7", "ttl_days = 6"))
    assert Policy.load(file).hash != Policy.load().hash


def test_limits_only_shorten() -> None:
    policy = Policy.load()
    assert policy.with_limits(ccc_ttl_days=30, dnc_max_age_days=31) == policy
    shorter = policy.with_limits(ccc_ttl_days=1)
    assert shorter.ccc_ttl_days == 1
    assert shorter.hash != policy.hash


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (GOOD.replace('["dnc", "ccc"]', "[]"), "required_sources"),
        (GOOD.replace('["dnc", "ccc"]', '["ccc", "astrology"]'), "required_sources"),
        (GOOD.replace('required_sources = ["dnc", "ccc"]\n', ""), "required_sources"),
        (GOOD.replace("ttl_days", "ttl_day"), "ccc.ttl_day"),
        (GOOD.replace("ttl_days = 7", "ttl_days = true"), "ccc.ttl_days"),
        (GOOD.replace("ttl_days = 7", "ttl_days = 0"), "ccc.ttl_days"),
        (GOOD.replace("max_age_days = 31", "max_age_days = 32"), "dnc.max_age_days"),
        (GOOD.replace("[dnc]", "[dnq]"), "dnq"),
        (GOOD.replace("[ccc]\nttl_days = 7\n", ""), "[ccc]"),
        ("required_sources = [", "policy.toml"),
    ],
)
def test_what_a_policy_cannot_say_is_named(tmp_path: Path, text: str, names: str) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(text)
    with pytest.raises(PolicyError) as caught:
        Policy.load(file)
    assert names in str(caught.value)
    assert "policy.toml" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"nowhere\.toml"):
        Policy.load(tmp_path / "nowhere.toml")
