"""What the CCC sandbox's full scrub knows of phones, and how the vendor writes that down.

Belongs here: its truth, a request, an answer. Does not: the service, which is that of the litigator
scrub (:mod:`~etl_dagster.sandbox.ccc_service`), faults.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec
import numpy as np

from etl_dagster.sandbox.ccc_answers import PhoneList, litigators

PATH: Final = "/app/main/rpc/scrub"
EXAMPLE: Final[Mapping[str, str]] = {
    "Phone": "", "ResultCode": "C", "Reserved": "", "Reason": ";;;", "RegionAbbrev": "CA",
    "Country": "US", "Locale": "Santa Rosa", "CarrierInfo": "", "NewReassignedAreaCode": "",
    "TZCode": "4", "CallingWindow": "", "UTCOffset": "-420", "DoNotCallToday": "",
    "CallingTimeRestrictions": "4", "EBRType": "", "IsWirelessOrVoIP": "0", "LineType": "AllOther",
}  # fmt: skip
"""A clean phone. Source: docs.dncscrub.com, "Scrub multiple numbers"."""
_LITIGATOR: Final = {"ResultCode": "D", "Reason": "Litigator"}
_NATIONAL: Final = {"ResultCode": "D", "Reason": "National (USA) 2003-06-01;;;"}
_WIRELESS: Final = {"ResultCode": "W", "LineType": "Wireless", "IsWirelessOrVoIP": "1"}
_NATIONAL_EXAMPLE: Final = 7075276405
_MIX: Final = np.uint64(0xC2B2AE3D27D4EB4F)


class FullRequest(msgspec.Struct, rename={"PhoneList": "phoneList"}):
    """The documented body; with another version or output the answer is another."""

    PhoneList: str
    version: Literal["5"]
    output: Literal["json"]


def render_full(phones: PhoneList, said: Mapping[int, Mapping[str, str]]) -> bytes:
    """Write the vendor's JSON array, one object per phone, in the order asked.

    Args:
        phones: What was asked about.
        said: Fields to answer of a phone, instead of what the sandbox knows: litigators are on a
            list, one in 50 others is on the national one, one in 50 wireless, the rest clean.
    """
    draws = (phones.numbers.astype(np.uint64) * _MIX >> np.uint64(40)) % np.uint64(50)
    answer = []
    for phone, draw, sues in zip(
        phones.numbers.tolist(), draws.tolist(), litigators(phones.numbers).tolist(), strict=True
    ):
        listed = draw == 0 or phone == _NATIONAL_EXAMPLE
        known = _LITIGATOR if sues else _NATIONAL if listed else _WIRELESS if draw == 1 else {}
        answer.append({**EXAMPLE, **known, **said.get(phone, {}), "Phone": str(phone)})
    return msgspec.json.encode(answer)
