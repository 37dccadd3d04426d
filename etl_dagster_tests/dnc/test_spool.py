from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_dagster.dnc import pages
from etl_dagster.dnc.spool import Spool

phone = st.builds(
    lambda area, local: area * 10**7 + local,
    st.sampled_from([200, 407, 408, 999]),
    st.integers(0, 9_999_999),
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batches=st.lists(st.lists(phone, max_size=8), max_size=6), most=st.integers(1, 12))
def test_numbers_come_back_by_area_code_in_whatever_order_and_however_little_memory(
    tmp_path: Path, batches: list[list[int]], most: int
) -> None:
    wanted: dict[int, set[int]] = {}
    with Spool(tmp_path, waiting_most=most) as spool:
        for batch in batches:
            spool.add(np.array(batch, dtype=np.int64))
            for number in batch:
                wanted.setdefault(number // 10**7, set()).add(number % 10**7)
        spool.cover({555})
        assert spool.areas() == sorted({*wanted, 555})
        for area in spool.areas():
            assert set(pages.unpack(spool.bits(area)).tolist()) == wanted.get(area, set())
        assert list(tmp_path.iterdir()) == []
