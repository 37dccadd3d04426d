"""Vouching for phones that are about to leave."""

from pathlib import Path

import numpy as np
import pytest

from etl_dagster.dnc import DncNotClearError, DncStore
from etl_dagster.dnc.witness import Witness
from etl_dagster_tests.dnc.support import PHONES, ago, write_list

CLEAR, OTHER, ELSEWHERE = 4075550150, 4075550151, 2125550100


def test_only_clear_phones_are_vouched_for_and_none_is_named(store: DncStore) -> None:
    witness = Witness(store)
    witness(np.array([CLEAR, OTHER]))
    for phone in (int(PHONES[0]), ELSEWHERE):
        with pytest.raises(DncNotClearError, match="1 phones are not clear") as error:
            witness(np.array([CLEAR, phone]))
        assert str(phone) not in str(error.value)


def test_a_list_that_changed_ends_it_even_for_nobody(store: DncStore) -> None:
    witness = Witness(store)
    witness(np.array([CLEAR]))
    store.opt_out([CLEAR])
    with pytest.raises(DncNotClearError, match="changed meanwhile"):
        witness(np.empty(0, np.int64))


def test_another_list_counts_too(store: DncStore, tmp_path: Path) -> None:
    witness = Witness(store)
    path = write_list(tmp_path / "s.txt", [OTHER])
    store.add_list("partner", [path], as_of=ago(days=1))
    with pytest.raises(DncNotClearError, match="changed meanwhile"):
        witness(np.array([CLEAR]))
