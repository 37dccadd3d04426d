"""Policy files with whatever may happen to a file: a policy that says what it says, or a refusal.

The oracle reads the same TOML without any rule of ours: a policy that loads must have every key of
the file, no other, and lie within the bounds of the law.
"""

import tomllib
from collections.abc import Callable
from datetime import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from etl_dagster.leads import policy_text
from etl_dagster.leads.hours import format_window
from etl_dagster.leads.policy import MOST_BYTES, Policy, PolicyError
from etl_dagster_tests.leads.policies import text_of
from etl_dagster_tests.leads.test_policy import FULL, GOOD

TEXT = Path(policy_text.__file__).with_name("policy.toml").read_bytes()
Mutation = Callable[[bytes], bytes]
ODD_VALUES = [
    *("0", "-1", "31", "32", "7.5", "1e400", "-inf", "inf", "nan", "+nan", "1e-320", "0x1F", "1_0"),
    *("true", "false", "[]", "{}", "[[]]", '["ccc"]', '["dnc"]', '["ccc", 1]', '["dnc", "dnc"]'),
    *('""', '"everywhere"', '"EVERYWHERE"', '"00:00-24:00"', '"08:00-20:00"', '"08:00-21:00\\n"'),
    *("2026-11-20", "08:00:00", '"""\nttl_days = 31\n"""', "'\u202e'", '"\\u001b[2J"', "{ a = 1 }"),
    *("9" * 30, "9" * 5_000, f"0x{'f' * 5_000}", f"[0x{'f' * 5_000}]", f"{'[' * 90}{']' * 90}"),
    f"{'[' * 2_000}{']' * 2_000}",
]
ODD_LINES = [
    *(b"", b"\xef\xbb\xbf", b"\x00", b"\xff", b"\r", b"[ccc]", b"[dnc.lists]", b"[[dnc.lists]]"),
    *(b"[hours.states]", b"[dnc.lists.national]", b"hours.states.GA = '09:00-20:00'", b"dnc = 1"),
    *("[ccc.n\u00e9]".encode(), b"'' = 1", b'"a\\nb" = 1', b"required_sources = []", b"x = 1"),
    *(b"required_sources = ['ccc']", b"ccc.ttl_days = 30", b"ttl_days = 30", b'national = "fl"'),
]


def at(lines: list[bytes], place: int) -> int:
    return place % len(lines)


def flip(place: int, byte: int) -> Mutation:
    def mutate(text: bytes) -> bytes:
        here = place % (len(text) or 1)
        return text[:here] + bytes([byte]) + text[here + 1 :]

    return mutate


def on_lines(change: Callable[[list[bytes]], None]) -> Mutation:
    def mutate(text: bytes) -> bytes:
        lines = text.split(b"\n")
        change(lines)
        return b"\n".join(lines)

    return mutate


def drop(place: int) -> Mutation:
    return on_lines(lambda lines: lines.pop(at(lines, place)) and None)


def duplicate(place: int, other: int) -> Mutation:
    return on_lines(lambda lines: lines.insert(at(lines, other), lines[at(lines, place)]))


def insert(place: int, line: bytes) -> Mutation:
    return on_lines(lambda lines: lines.insert(at(lines, place), line))


def swap(place: int, other: int) -> Mutation:
    def change(lines: list[bytes]) -> None:
        one, two = at(lines, place), at(lines, other)
        lines[one], lines[two] = lines[two], lines[one]

    return on_lines(change)


def value(place: int, new: str) -> Mutation:
    """Give another value to one of the lines that have any."""

    def change(lines: list[bytes]) -> None:
        having = [number for number, line in enumerate(lines) if b"=" in line]
        if having:
            here = having[place % len(having)]
            lines[here] = lines[here].split(b"=")[0] + b"= " + new.encode()

    return on_lines(change)


PLACE = st.integers(0, 2_000)
MUTATIONS = st.lists(
    st.one_of(
        st.builds(flip, PLACE, st.integers(0, 255)),
        st.builds(drop, PLACE),
        st.builds(duplicate, PLACE, PLACE),
        st.builds(swap, PLACE, PLACE),
        st.builds(insert, PLACE, st.sampled_from(ODD_LINES) | st.binary(max_size=6)),
        st.builds(value, PLACE, st.sampled_from(ODD_VALUES) | st.text(max_size=6)),
        st.just(lambda text: text.replace(b"\n", b"\r\n")),
        st.just(lambda text: b"\xef\xbb\xbf" + text),
    ),
    max_size=3,
)


def load(file: Path, content: bytes) -> Policy | list[str]:
    """The policy, or the lines of the refusal."""
    file.write_bytes(content)
    try:
        return Policy.load(file)
    except PolicyError as error:
        return str(error).splitlines()


def judge(policy: Policy, content: bytes) -> None:
    """Hold a policy against the file: nothing overlooked, nothing beyond the law."""
    said = tomllib.loads(content.decode("utf-8-sig"))
    hours, lists = said.get("hours", {}), said["dnc"].get("lists", {})
    assert set(said) <= {"required_sources", "ccc", "dnc", "hours"}
    assert set(policy.required_sources) == set(said["required_sources"]) <= {"ccc", "dnc"}
    assert policy.required_sources
    assert said["ccc"] == {"ttl_days": policy.ccc_ttl_days}
    assert 0 < policy.ccc_ttl_days <= 31
    assert {"snapshot_max_age_hours": 24, **said["dnc"], "lists": None} == {
        "max_age_days": policy.dnc_max_age_days,
        "snapshot_max_age_hours": policy.dnc_snapshot_max_age_hours,
        "lists": None,
    }
    assert 0 < policy.dnc_snapshot_max_age_hours <= 168
    assert policy.dnc_max_age_days in range(1, 32)
    assert lists == dict.fromkeys(policy.dnc_lists, "everywhere")
    assert not lists or "dnc" in policy.required_sources
    assert set(hours) <= {"default", "states"}
    assert format_window(policy.hours.default) == hours.get("default", "08:00-21:00")
    windows = policy.hours.states.items()
    assert {code: format_window(one) for code, one in windows} == hours.get("states", {})
    for start, end in (policy.hours.default, *policy.hours.states.values()):
        assert time(8) <= start < end <= time(21)
    again = Policy.from_text(text_of(policy))
    assert again == policy
    assert again.hash == policy.hash


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(base=st.sampled_from([TEXT, FULL.encode(), GOOD.encode()]), mutations=MUTATIONS)
@example(base=FULL.encode(), mutations=[value(1, f"0x{'f' * 5_000}")])
@example(base=FULL.encode(), mutations=[value(1, "0x" + "f" * 5_000), value(2, '"a\\nb"')])
@example(base=TEXT, mutations=[insert(0, b"\r")])
def test_whatever_happens_to_the_file_it_says_what_it_says_or_is_refused(
    tmp_path: Path, base: bytes, mutations: list[Mutation]
) -> None:
    content = base
    for mutate in mutations:
        content = mutate(content)
    file = tmp_path / "policy.toml"
    found = load(file, content)
    if isinstance(found, Policy):
        judge(found, content)
        return
    lines = content.count(b"\n") + 1
    for problem in found:
        start, _, rest = problem.partition(": ")
        assert start.startswith(f"policy {file}")
        assert rest
        where = start.removeprefix(f"policy {file}")
        # what is missing stands on no line
        assert where or "found nothing" in problem
        assert not where or 1 <= int(where.removeprefix(", line ")) <= lines
        assert problem.isprintable()


@pytest.mark.parametrize(
    "content",
    [TEXT.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + TEXT, b"\xef\xbb\xbf" + TEXT.rstrip()],
)
def test_how_an_editor_stores_the_file_does_not_count(tmp_path: Path, content: bytes) -> None:
    assert load(tmp_path / "policy.toml", content) == Policy.load()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"# one\n# two\n# \xff\n" + TEXT, "policy {}, line 3: cannot be read: 'utf-8' codec"),
        ("# caf\u00e9\n".encode("utf-16"), "policy {}, line 1: cannot be read: 'utf-8' codec"),
        (TEXT + b"ttl_days = [\n\n", "policy {}, line 26: not TOML: "),
        (b"x = 0x" + b"f" * 5_000, "policy {}, line 1: x: unknown key"),
        (TEXT.replace(b"= 7", b"= " + b"9" * 5_000), "policy {}, line 9: not TOML: "),
        (TEXT.replace(b"= 7", b"= 0x" + b"f" * 5_000), "policy {}, line 9: ccc.ttl_days: "),
        (b"x = 1 # \r\n\ry = 1" + TEXT, "policy {}, line 2: not TOML: "),
        (b"#" * (MOST_BYTES + 1), "policy {}: expected at most 65,536 bytes"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(
    tmp_path: Path, content: bytes, says: str
) -> None:
    file = tmp_path / "policy.toml"
    found = load(file, content)
    assert isinstance(found, list)
    assert any(line.startswith(says.format(file)) for line in found), found


def test_a_file_full_of_mistakes_is_refused_at_once(tmp_path: Path) -> None:
    wrong = "".join(f"key_{number} = 1\n" for number in range(1_000))
    found = load(tmp_path / "policy.toml", wrong.encode() + TEXT)
    assert isinstance(found, list)
    assert len(found) == 50
    assert "line 50: key_49: unknown key" in found[-1]
