"""Reading a table of opt-outs as companies keep them."""

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from etl_dagster.identity.own_key import own_key
from etl_dagster.warehouse.errors import WarehouseError
from etl_dagster.warehouse.opt_outs import OptOuts, read_opt_outs
from etl_dagster_tests.warehouse.conftest import Tables


def table(tables: Tables, columns: str, *rows: str) -> str:
    tables.session.execute(f"CREATE OR REPLACE TABLE MY_OPT_OUTS ({columns})")
    for row in rows:
        tables.session.execute(f"INSERT INTO MY_OPT_OUTS SELECT {row}")
    return "MY_OPT_OUTS"


def test_phones_are_read_as_people_write_them_and_the_others_counted(tables: Tables) -> None:
    name = table(
        tables,
        "name VARCHAR, phone VARCHAR, requested_at TIMESTAMP_NTZ",
        "'Ann', '(407) 555-0101', '2026-11-02 10:00:00'",
        "'Bob', '+1 407.555.0102', NULL",
        "'Cyn', 'n/a', '2026-11-02'",
        "'Dan', NULL, '2026-11-02'",
        "'Eve', '555-0103', '2026-11-02'",
    )
    found = read_opt_outs(tables.session, name)
    moments = dict(zip(found.phones.tolist(), found.moments.tolist(), strict=True))
    assert moments == {4075550101: datetime(2026, 11, 2, 10), 4075550102: None}  # noqa: DTZ001
    assert (found.rows, found.unreadable) == (5, 3)


@pytest.mark.parametrize("kind", ["DATE", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ"])
def test_numbers_and_every_kind_of_moment_are_read(tables: Tables, kind: str) -> None:
    name = table(
        tables, f"phone NUMBER(10, 0), requested_at {kind}", f"4075550101, '2026-11-02'::{kind}"
    )
    found = read_opt_outs(tables.session, name)
    assert found.phones.tolist() == [4075550101]
    assert found.moments.tolist() == [datetime(2026, 11, 2)]  # noqa: DTZ001  numpy has no zones


def test_the_fingerprint_follows_the_rows_and_not_their_order(tables: Tables) -> None:
    columns = "phone VARCHAR, requested_at DATE"
    rows = ["'4075550101', '2026-11-02'", "'4075550102', '2026-11-01'"]
    seen = [
        read_opt_outs(tables.session, table(tables, columns, *some)).fingerprint(b"k")
        for some in (rows, rows[::-1], [*rows, "'bad', '2026-11-01'"], rows[:1], [])
    ]
    assert seen[0] == seen[1]
    assert len(set(seen)) == 4
    assert "555" not in seen[0]


def test_of_a_fingerprint_the_only_phone_cannot_be_found_by_trying(tmp_path: Path) -> None:
    def seen(key: bytes) -> str:
        found = OptOuts(
            phones=np.array([4075550101]),
            moments=np.array(["2026-11-02"], "datetime64[us]"),
            unread=np.array([], "datetime64[us]"),
        )
        return found.fingerprint(key)

    key = own_key(tmp_path / "home")
    assert seen(key) == seen(own_key(tmp_path / "home"))
    assert len({seen(key), seen(b""), seen(own_key(tmp_path / "another"))}) == 3
    (file,) = (tmp_path / "home").iterdir()
    assert (file.stat().st_mode & 0o777, len(key)) == (0o600, 32)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ("phone_no VARCHAR, requested_at DATE", "has no column phone; it needs phone"),
        ("phone VARCHAR, requested_at VARCHAR", "has requested_at as TEXT; it needs"),
        ("number VARCHAR", "has no column phone and has no column requested_at"),
    ],
)
def test_other_columns_are_refused_by_name(tables: Tables, columns: str, says: str) -> None:
    with pytest.raises(WarehouseError, match=says) as refused:
        read_opt_outs(tables.session, table(tables, columns))
    assert "and has " in str(refused.value)


def test_a_table_that_is_not_there_is_named(tables: Tables) -> None:
    with pytest.raises(WarehouseError, match="ETL_OPT_OUTS_TABLE: NO_SUCH cannot be read"):
        read_opt_outs(tables.session, "NO_SUCH")
