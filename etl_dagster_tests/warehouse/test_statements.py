import re
from importlib import resources

import pytest

from etl_dagster.warehouse.statements import fragment, literals, render


def test_a_rendered_statement_keeps_its_name() -> None:
    statement = render("delete_leads", campaigns="")
    assert statement.name == "delete_leads"
    assert "DELETE FROM LEADS" in statement
    assert "{" not in statement


def test_a_placeholder_that_is_not_filled_is_an_error() -> None:
    with pytest.raises(KeyError, match="campaigns"):
        render("delete_leads")


def test_a_fragment_is_the_expression_without_its_comment() -> None:
    text = fragment("zip_code", text="t.zip")
    assert not text.startswith("--")
    assert "t.zip" in text
    assert "{" not in text


@pytest.mark.parametrize("name", ["", "Walk", "a b", "a'b", "1st", "a-b", "a;b", "é"])
def test_a_name_that_is_not_plain_never_becomes_a_literal(name: str) -> None:
    with pytest.raises(ValueError, match="plain lower-case name"):
        literals(["ccc", name])


def test_names_become_literals() -> None:
    assert literals(["ccc", "dnc_2"]) == "'ccc', 'dnc_2'"


def test_every_statement_file_is_used() -> None:
    package = resources.files("etl_dagster")
    folder = package.joinpath("warehouse", "sql")
    names = [
        path.name.removesuffix(".sql") for path in folder.iterdir() if path.name[-4:] == ".sql"
    ]
    names += [f"{path.name[:-4]}" for path in folder.joinpath("fragments").iterdir()]
    code = "\n".join(
        path.read_text("utf-8")
        for part in ("warehouse", "report", "defs")
        for path in package.joinpath(part).iterdir()
        if path.name.endswith(".py")
    )
    unused = [name for name in names if not re.search(f'"{name}"', code)]
    assert unused == []
