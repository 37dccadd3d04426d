"""Vouching for phones that are about to leave: no list has them, and none has changed since.

Belongs here: refusing. Does not: taking anybody out; whoever asks has done that before.
"""

import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc.errors import DncNotClearError
from etl_dagster.dnc.reader import DncReader
from etl_dagster.leads.verdicts import Verdict


class Witness:
    """Speaks for phones, by the lists as they are when it is made; called with them."""

    def __init__(self, store: DncReader) -> None:
        """Note which versions of which lists are in force."""
        self._store = store
        self.list_versions = store.lookup(np.empty(0, np.int64)).list_versions

    def __call__(self, phones: NDArray[np.int64]) -> None:
        """Vouch for these phones, and still for those of earlier calls.

        Raises:
            DncNotClearError: a phone is not CLEAR, or a list has changed since.
        """
        found = self._store.lookup(phones)
        if found.list_versions != self.list_versions:
            raise DncNotClearError("the Do-Not-Call lists changed meanwhile: do it again")
        if count := int((found.verdicts != Verdict.CLEAR).sum()):
            raise DncNotClearError(
                f"{count:,} phones are not clear on the Do-Not-Call lists as they are now: run"
                " `etl-dagster retract`, then do it again"
            )
