"""The CCC full scrub: lists, litigators, relationships, kinds of line, in one result code.

Belongs here: its protocol (docs.dncscrub.com, "Scrub multiple numbers" and "Output guide"), and
which description each source has. Does not: what its codes mean (`leads/full_scrub.py`).
Its calling windows (CallingWindow, UTCOffset) are in the raw answer and are not used.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from etl_dagster.ccc.source import LITIGATOR_SCRUB, Entry, Judged, Source
from etl_dagster.leads.full_scrub import FullRules
from etl_dagster.leads.policy import Policy
from etl_dagster.leads.verdicts import Verdict


class _Full(Entry):
    ResultCode: str
    Reason: str
    DoNotCallToday: str
    LineType: str


def full_scrub(rules: FullRules) -> Source:
    """The full scrub under the rules of a policy."""

    def judge(entries: Sequence[_Full]) -> Judged:
        judged = [
            rules.judge(one.ResultCode, one.Reason, one.DoNotCallToday, one.LineType)
            for one in entries
        ]
        return [verdict for verdict, _ in judged], [reason for _, reason in judged]

    return Source(
        name="ccc_full",
        title="full scrub",
        path="/app/main/rpc/scrub",
        body=b'{"phoneList":"%b","version":"5","output":"json"}',
        entry=_Full,
        judge=judge,
        # the examples of its reference: a litigator, and a number on the national list
        canary={5039367187: Verdict.LISTED, 7075276405: Verdict.LISTED},
        bytes_per_phone=2_048,
    )


SOURCES: Final[Mapping[str, Callable[[Policy], Source]]] = MappingProxyType(
    {"ccc": lambda _: LITIGATOR_SCRUB, "ccc_full": lambda policy: full_scrub(policy.ccc_full)}
)
"""The description of each source under a policy, by its name."""
