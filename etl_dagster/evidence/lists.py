"""What the Do-Not-Call lists said of a phone at a verdict's moment, and from which files.

Belongs here: asking the store again as of then, and the versions before and after. Does not: why a
list has a phone (`dnc/explanation.py`).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from etl_dagster.dnc import DncError, DncStore, replica
from etl_dagster.dnc.moments import parse_versions
from etl_dagster.evidence.decisions import Rules
from etl_dagster.evidence.forms import plain
from etl_dagster.warehouse.phone_history import VerdictRow

OpenStore = Callable[[Rules | None], DncStore]
"""Opens the store for look-ups under a policy; without one, without its limits."""


class Lists:
    """Asks the store about one phone, as of many moments.

    Args:
        open_store: opens it.
        phone: 10 digits.

    Raises:
        DncError: there is no store, or it is damaged.
    """

    def __init__(self, open_store: OpenStore, phone: int) -> None:
        self._open = open_store
        self._phone = phone
        with open_store(None) as store:
            now = store.explain(phone)
            self._history = {one.list: store.history(one.list) for one in now.lists}
        self.requests: list[dict[str, Any]] = [
            {"list": one.list, **request} for one in now.lists for request in one.requests
        ]
        """Every opt-out of the phone, and what lifted one, oldest first."""

    def explain(self, row: VerdictRow, rules: Rules | None) -> dict[str, Any]:
        """What each list said at the moment of a verdict, and the versions on both sides of it.

        The store answers as `etl-dagster rescrub` has it answer, so that one that was rebuilt or
        restored since is not taken for that of then.

        Args:
            row: a verdict of the lists.
            rules: the policy that counted; None if it is not on record.

        Returns:
            `verdict`, `reason`, `valid_until`, `lists`, and whether the store says the same of that
            moment today (`same`; None if the policy is not on record), with `why` if not; or
            `error`, where it cannot be asked as of then any more, or is not the store of then.
        """
        asked = np.array([self._phone], np.int64)
        try:
            with self._open(rules) as store:
                again, newer = store.repeat(asked, row.list_versions, row.checked_at)
                found = store.explain(self._phone, row.checked_at, versions=row.list_versions)
            versions = parse_versions(row.list_versions)
        except DncError as error:
            return {"error": str(error)}
        reason = ",".join(again.names(0)) or again.reason_names[again.reasons[0]]
        now = (found.verdict.upper(), reason, found.valid_until)
        then = (row.verdict, row.reason, row.valid_until)
        compared = zip(("verdict", "reason", "end of validity"), now, then, strict=True)
        why = [f"another {what}" for what, one, other in compared if one != other]
        why += [f"the store had {one} by then" for one in newer]
        if row.verdict == "UNKNOWN" and row.reason in replica.REASONS and now[0] != "LISTED":
            why = []  # the host had a replica, and a doubt that does not follow from the lists
        return {
            "verdict": found.verdict.upper(),
            "reason": reason,
            "valid_until": plain(found.valid_until),
            "same": not why if rules else None,
            "why": why if rules else [],
            "lists": [
                {
                    **plain(one),
                    "in_force": self._version(one.list, versions[one.list]),
                    "next": self._version(one.list, versions[one.list] + 1),
                }
                for one in found.lists
            ],
        }

    def _version(self, name: str, number: int) -> dict[str, Any] | None:
        """The record of a version; None before the first and after the last."""
        found = (plain(one) for one in self._history.get(name, []) if one.number == number)
        return next(found, None)
