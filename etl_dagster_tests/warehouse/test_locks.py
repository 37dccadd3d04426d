"""A guard before each commit."""

import pytest

from etl_dagster.warehouse.locks import guarded
from etl_dagster_tests.warehouse.conftest import Tables


class LostError(Exception):
    """The chunk's lock is held by somebody else by now."""


def test_what_a_guard_raises_undoes_what_was_not_committed(tables: Tables) -> None:
    asked = []

    def guard() -> None:
        asked.append(tables.count("LEADS"))
        if len(asked) > 1:
            raise LostError

    with guarded(tables.session, guard):
        with tables.session.transaction():
            tables.lead("first")
        with pytest.raises(LostError), tables.session.transaction():
            tables.lead("second")
    assert asked == [1, 2]  # asked last of all, before the commit
    assert tables.rows("SELECT lead_id FROM LEADS") == [{"LEAD_ID": "first"}]
    with tables.session.transaction():  # guarded no more
        tables.lead("third")
    assert len(asked) == 2
