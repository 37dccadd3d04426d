import re
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path

import pytest

from etl_dagster.leads.hours import Hours
from etl_dagster.leads.policy import MOST_BYTES, Policy, PolicyError

GOOD = """\
required_sources = ["dnc", "ccc"]
[ccc]
ttl_days = 7
[dnc]
max_age_days = 31
"""
FULL = (
    GOOD
    + """\
[dnc.lists]
national = "everywhere"
state_fl = "everywhere"
[hours]
default = "09:00-20:30"
[hours.states]
FL = "09:00-20:00"
"""
)


def test_the_built_in_policy_requires_every_source() -> None:
    policy = Policy.load()
    assert policy.required_sources == ("ccc", "dnc")
    assert policy.dnc_max_age_days == 31
    assert policy.hours.default == (time(8), time(21))
    assert policy.hours.states["FL"] == (time(8), time(20))


def test_every_key_is_read() -> None:
    assert Policy.from_text(FULL) == Policy(
        required_sources=("ccc", "dnc"),
        ccc_ttl_days=7,
        dnc_max_age_days=31,
        dnc_lists=("national", "state_fl"),
        hours=Hours(default=(time(9), time(20, 30)), states={"FL": (time(9), time(20))}),
    )


def test_the_hash_is_of_the_meaning(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text("# a comment\n" + GOOD.replace("= 7", "= 7.0"))
    assert Policy.load(file).hash == Policy.from_text(GOOD).hash
    reordered = FULL.replace(
        'national = "everywhere"\nstate_fl = "everywhere"\n',
        'state_fl = "everywhere"\nnational = "everywhere"\n',
    )
    assert Policy.from_text(reordered).hash == Policy.from_text(FULL).hash


@pytest.mark.parametrize(
    "default",
    [
        "[dnc.lists]\n",
        "[hours]\n",
        '[hours]\ndefault = "08:00-21:00"\n',
        '[hours]\ndefault = "08:00-21:00"\n[hours.states]\n',
        '[hours.states]\nGA = "08:00-21:00"\n',
    ],
)
def test_an_optional_key_with_its_default_keeps_the_hash(default: str) -> None:
    assert Policy.from_text(GOOD + default).hash == Policy.from_text(GOOD).hash


@pytest.mark.parametrize(
    "change",
    [
        ("ttl_days = 7", "ttl_days = 6"),
        ("max_age_days = 31", "max_age_days = 30"),
        ('["dnc", "ccc"]', '["dnc"]'),
        ('state_fl = "everywhere"\n', ""),
        ("09:00-20:30", "09:00-20:31"),
        ("09:00-20:00", "09:00-20:01"),
        ("FL =", "GA ="),
    ],
)
def test_the_hash_covers_every_key(change: tuple[str, str]) -> None:
    assert change[0] in FULL
    assert Policy.from_text(FULL.replace(*change)).hash != Policy.from_text(FULL).hash


def test_limits_only_shorten() -> None:
    policy = Policy.load()
    assert policy.with_limits(ccc_ttl_days=30, dnc_max_age_days=31) == policy
    shorter = policy.with_limits(ccc_ttl_days=1)
    assert shorter.ccc_ttl_days == 1
    assert shorter.hash != policy.hash
    half_a_day = policy.with_limits(ccc_ttl_days=0.5)
    assert half_a_day.ttl("ccc") == half_a_day.ttl("ccc_full") == timedelta(hours=12)
    assert policy.with_limits(dnc_max_age_days=10) == replace(policy, dnc_max_age_days=10)


def test_answers_of_each_service_stay_valid_for_a_time_of_their_own() -> None:
    text = GOOD.replace('"ccc"]', '"ccc", "ccc_full"]') + "[ccc_full]\nttl_days = 2\n"
    policy = Policy.from_text(text)
    assert policy.ttl("ccc") == timedelta(days=7)
    assert policy.ttl("ccc_full") == timedelta(days=2)


@pytest.mark.parametrize(
    ("old", "new", "line", "names"),
    [
        ('["dnc", "ccc"]', "[]", 1, "required_sources: expected a list"),
        ('["dnc", "ccc"]', '["ccc", "astrology"]', 1, 'found ["ccc", "astrology"]'),
        ('["dnc", "ccc"]', '"ccc"', 1, "required_sources"),
        ('["dnc", "ccc"]', "[[1]]", 1, "required_sources"),
        ('required_sources = ["dnc", "ccc"]\n', "", None, "required_sources"),
        ("ttl_days", "ttl_day", 3, "ccc.ttl_day: unknown key; there are ccc.ttl_days."),
        ("ttl_days = 7", "ttl_days = true", 3, "ccc.ttl_days: expected a number of days above 0"),
        ("ttl_days = 7", 'ttl_days = 7\nresult_codes = ["C"]', 4, "ccc.result_codes: unknown key"),
        ("[dnc]", 'wireless = "block"\n[dnc]', 4, "ccc.wireless: unknown key"),
        ("ttl_days = 7", "ttl_days = 0", 3, "found 0; write for example ttl_days = 7 under [ccc]"),
        ("ttl_days = 7", "ttl_days = nan", 3, "ccc.ttl_days"),
        ("ttl_days = 7", "ttl_days = inf", 3, "ccc.ttl_days"),
        ("ttl_days = 7", 'ttl_days = "7"', 3, 'found "7"'),
        ("ttl_days = 7\n", "", 2, "ccc.ttl_days: expected a number of days"),
        ("[ccc]\nttl_days = 7\n", "", None, "[ccc]"),
        ("[ccc]\nttl_days = 7\n", "ccc = 7\n", 2, "ccc: expected a table [ccc], found 7"),
        ("max_age_days = 31", "max_age_days = 32", 5, "dnc.max_age_days"),
        ("max_age_days = 31", "max_age_days = 7.5", 5, "expected a whole number of days"),
        ("[dnc]", "[dnc]\nsnapshot_max_age_hours = 0", 5, "expected a number of hours above 0"),
        ("[dnc]", "[dnq]", 4, "dnq: unknown key"),
        ('national = "everywhere"', 'national = ["FL"]', 7, "cannot be limited to states"),
        ('national = "everywhere"', '"Na tional" = "everywhere"', 7, "no name of a list"),
        ('["dnc", "ccc"]', '["ccc"]', 6, "dnc.lists: names lists that no phone waits for"),
        ("09:00-20:30", "07:59-21:00", 10, "hours.default: expected a window within the federal"),
        ("09:00-20:30", "08:00-21:01", 10, "never looser"),
        ("09:00-20:30", "20:00-09:00", 10, "hours.default"),
        ("09:00-20:30", "09:00-24:00", 10, "hours.default"),
        ("09:00-20:30", "09:00-09:00", 10, "hours.default"),
        ("09:00-20:00", "08:00-20:00", 12, "hours.states.FL: expected a window within hours.def"),
        ("FL =", "fl =", 12, "hours.states.fl: no state"),
        ("default =", "defaults =", 10, "hours.defaults: unknown key"),
        ("ttl_days = 7", "ttl_days = ", 3, "(at line 3, column 12)"),
        ("ttl_days = 7", f"ttl_days = {'1' * 5_000}", 3, "not TOML"),
    ],
)
def test_what_a_policy_cannot_say_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, line: int | None, names: str
) -> None:
    assert old in FULL
    file = tmp_path / "policy.toml"
    file.write_text(FULL.replace(old, new, 1))
    with pytest.raises(PolicyError) as caught:
        Policy.load(file)
    found = next(one for one in str(caught.value).splitlines() if names in one)
    assert found.startswith(f"policy {file}{f', line {line}' if line else ''}: ")


@pytest.mark.parametrize(
    ("rules", "names"),
    [
        ('clear_codes = ["C", "D"]', 'list of at least one of C, E, G, H, O, W, X, Y, found ["C'),
        ('clear_codes = ["L"]', "ccc_full.clear_codes"),  # wireless where a state prohibits it
        ("clear_codes = []", "ccc_full.clear_codes"),
        ('clear_codes = "C"', "ccc_full.clear_codes"),
        ('block_line_types = ["fax"]', "expected a list of wireless, voip, landline, found"),
        ("ttl_days = 32", "ccc_full.ttl_days"),
        ('override = ["O"]', "ccc_full.override: unknown key"),
    ],
)
def test_no_policy_makes_the_full_scrub_say_what_it_must_not(rules: str, names: str) -> None:
    text = GOOD.replace('"ccc"]', '"ccc", "ccc_full"]') + f"[ccc_full]\n{rules}\n"
    with pytest.raises(PolicyError, match=re.escape(names)):
        Policy.from_text(text)


def test_rules_for_a_source_that_nobody_asks_are_refused() -> None:
    with pytest.raises(PolicyError, match="ccc_full: rules for a source that nobody asks"):
        Policy.from_text(GOOD + '[ccc_full]\nclear_codes = ["C"]\n')


def test_everything_that_is_wrong_is_told_at_once_in_the_order_of_the_file() -> None:
    text = FULL.replace("= 7", "= 0").replace("= 31", "= 32").replace("FL", "XX")
    with pytest.raises(PolicyError) as caught:
        Policy.from_text(text, name="mine")
    lines = [one.split(":")[0] for one in str(caught.value).splitlines()]
    assert lines == ["policy mine, line 3", "policy mine, line 5", "policy mine, line 12"]


@pytest.mark.parametrize("empty", ["ccc", "dnc"])
def test_a_table_without_its_key_is_no_table_with_a_default(empty: str) -> None:
    key = {"ccc": "ttl_days = 7\n", "dnc": "max_age_days = 31\n"}[empty]
    with pytest.raises(PolicyError, match=rf"{empty}\.\w+_days: expected .* found nothing"):
        Policy.from_text(GOOD.replace(key, ""))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"nowhere\.toml: cannot be read"):
        Policy.load(tmp_path / "nowhere.toml")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    for before in (0, 1, 2):
        file.write_bytes(b"\n" * before + b"\xff\xfe")
        with pytest.raises(PolicyError, match=rf"policy\.toml, line {before + 1}: cannot be read"):
            Policy.load(file)


def test_a_file_of_another_size_is_no_policy(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(GOOD.ljust(MOST_BYTES))
    assert Policy.load(file) == Policy.from_text(GOOD)
    file.write_text(GOOD.ljust(MOST_BYTES + 1))
    with pytest.raises(PolicyError, match="expected at most 65,536 bytes of TOML, found 65,537"):
        Policy.load(file)
