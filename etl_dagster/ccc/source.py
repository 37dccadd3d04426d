"""What makes a service one that can be asked about phones: the description of a source.

Belongs here: what a description says, and that of the litigator scrub. Does not: asking (the rest
of this package is the same for all), the second one (:mod:`~etl_dagster.ccc.full`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from etl_dagster.leads.verdicts import Verdict

LITIGATOR: Final = "litigator"

Judged = tuple[ArrayLike, Sequence[str]]
"""A verdict each, and the reason on record."""


class Entry(msgspec.Struct, gc=False):
    """One element of an answer; fields that are not declared may be there and are ignored."""

    Phone: Annotated[int, msgspec.Meta(ge=0, le=9_999_999_999)] | str


@dataclass(frozen=True, kw_only=True)
class Source:
    """A service of CCC.

    Attributes:
        name: Of the source, in policy and ledger.
        title: What people call it.
        path: Where batches are posted to, unless the address has a path.
        body: A request; ``%b`` is where the phones go, separated by commas.
        entry: The fields of an answer that are read; each must be there, once, of its type.
        judge: What entries say: a verdict and the reason on record for each, in their order.
        canary: The vendor's test numbers, and what must be said of each.
        bytes_per_phone: No intact answer is longer.
    """

    name: str
    title: str
    path: str
    body: bytes
    entry: type[Entry]
    judge: Callable[[Sequence[Any]], Judged]
    canary: Mapping[int, Verdict]
    bytes_per_phone: int


class _Litigator(Entry):
    IsLitigator: bool


def _litigators(entries: Sequence[_Litigator]) -> Judged:
    listed = [entry.IsLitigator for entry in entries]
    verdicts = np.where(np.array(listed, dtype=np.bool_), Verdict.LISTED, Verdict.CLEAR)
    return verdicts, [LITIGATOR if one else "" for one in listed]


LITIGATOR_SCRUB: Final = Source(
    name="ccc",
    title="litigator scrub",
    path="/v1.5/Scrub/litigator",
    body=b'{"PhoneList":"%b","OutputFormat":"JsonArray"}',
    entry=_Litigator,
    judge=_litigators,
    canary={2675466417: Verdict.LISTED, 7075276405: Verdict.CLEAR},
    bytes_per_phone=256,
)
"""Source: docs.dncscrub.com, litigator API reference."""
