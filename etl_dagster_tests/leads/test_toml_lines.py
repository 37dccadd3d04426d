import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_dagster.leads.toml_lines import find_line

TEXT = '''\
# a comment that says ttl_days = 7

first = """
ttl_days = 8
[dnc]
"""
numbers = [
    1,  # max_age_days
    2,
]
after = 1
[ccc]

"ttl_days" = 7
inline = { deep = { er = 1 } }
[hours.states]
FL = "x"
[[many]]
one = 1
'''


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("first", 3),
        ("numbers", 7),
        ("after", 11),
        ("ccc", 12),
        ("ccc.ttl_days", 14),
        ("ccc.inline.deep.er", 15),
        ("hours", 16),
        ("hours.states.FL", 17),
        ("many", 18),
        ("dnc", None),
        ("ttl_days", None),
        ("first.no_table", None),
    ],
)
def test_a_key_is_found_where_its_statement_begins(
    path: str, line: int | None, newline: str
) -> None:
    assert find_line(TEXT.replace("\n", newline), tuple(path.split("."))) == line


KEYS = st.sampled_from(["a", "b", "ccc", "x-1", '"q.r"'])
VALUES = st.sampled_from(["1", '"a = 1"', '"""\na = 1\n"""', "[\n1, # a = 2\n]", "{ a = 1 }"])


@given(st.lists(st.tuples(KEYS, VALUES), unique_by=lambda one: one[0]), st.booleans())
def test_each_of_some_statements_is_found(
    statements: list[tuple[str, str]],
    comments: bool,  # noqa: FBT001  drawn
) -> None:
    lines: list[str] = []
    wanted = {}
    for key, value in statements:
        lines += ["# a = 1", ""] if comments else []
        wanted[key.strip('"')] = len(lines) + 1
        lines += f"{key} = {value}".split("\n")
    text = "\n".join(lines)
    assert {key: find_line(text, (key,)) for key in tomllib.loads(text)} == wanted
