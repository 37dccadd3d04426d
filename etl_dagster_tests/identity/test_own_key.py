"""A home's own key: one, whoever asks first, and nobody else's to read."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from etl_dagster.identity.own_key import NAME, SIZE, own_key


def test_all_who_ask_have_the_same_key(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(own_key, [home] * 32))
    assert keys == {(home / NAME).read_bytes()}
    assert (home / NAME).stat().st_size == SIZE
    assert (home / NAME).stat().st_mode & 0o777 == 0o600
    assert own_key(tmp_path) not in keys
    assert [path.name for path in home.iterdir()] == [NAME]


def test_what_stands_in_its_place_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / NAME).symlink_to("nowhere")
    with pytest.raises(FileNotFoundError):
        own_key(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
