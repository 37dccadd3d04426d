"""What the policy makes of an answer of the CCC full scrub.

Belongs here: the vendor's result codes and kinds of line (docs.dncscrub.com, output guide), the
rules that a policy file may set, and judging by them. Does not: the protocol (`ccc/full.py`),
reading the policy file (`policy_text.py`). `evidence/verify.py` states `judge` again, for people
who have nothing else of the program; a property test holds both equal.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from etl_dagster.leads.verdicts import Verdict

CODES: Final[Mapping[str, str]] = {
    "C": "clean",
    "X": "industry_exemption",
    "W": "wireless",
    "Y": "voip",
    "L": "wireless_prohibited",
    "E": "ebr",
    "O": "ebr_override",
    "F": "ebr_wireless_prohibited",
    "G": "ebr_wireless",
    "H": "ebr_override_wireless",
    "V": "ebr_override_wireless_prohibited",
    "R": "ebr_expired",
    "D": "dnc",
    "P": "project_dnc",
    "B": "blocked",
    "I": "invalid",
    "M": "malformed",
    "S": "disconnected",
    "T": "tier_c",
}
"""Each documented result code in a word, which is the reason on record."""
CLEARABLE: Final = ("C", "E", "G", "H", "O", "W", "X", "Y")
"""What a policy may take for clear; no relationship makes the others lawful to call."""
OVERRIDING: Final = ("H", "O", "X")
"""Codes that set aside a list, which their Reason names: national and state ones alone may be."""
LINES: Final[Mapping[str, str]] = {"wireless": "wireless", "voip": "voip", "allother": "landline"}
"""The vendor's kinds of line in lower case, and what a policy calls them."""
UNTOLD: Final = "unknown"
"""A kind of line that the vendor does not tell."""
TODAY: Final = "do_not_call_today"

_NO_HOLIDAY: Final = ("", "0", "N")
_LISTED_ON: Final = re.compile(r"(National|State) \([A-Z]{2,3}\) [0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, kw_only=True)
class FullRules:
    """What a policy says of the full scrub.

    Attributes:
        ttl_days: days that an answer stays valid.
        clear_codes: result codes that are evidence of a clean phone, of CLEARABLE, sorted.
        block_line_types: kinds of line that are not called, of LINES' words, sorted; where there
            are any, a kind that the vendor does not tell is not called either.
    """

    ttl_days: float = 1.0
    clear_codes: tuple[str, ...] = ("C",)
    block_line_types: tuple[str, ...] = ()

    def judge(self, code: str, why: str, today: str, line: str) -> tuple[Verdict, str]:
        """Judge what was answered about a phone.

        Args:
            code: its ResultCode.
            why: its Reason: the lists that have it, separated by semicolons.
            today: its DoNotCallToday.
            line: its LineType.

        Returns:
            The verdict, and the reason on record: of a CLEAR one, the kind of line. UNKNOWN is only
            what holds for today: the phone is not called, and asked about again by a later run.
        """
        kind = LINES.get(line.lower(), UNTOLD)
        if code not in self.clear_codes:
            return Verdict.LISTED, CODES.get(code, "unlisted_code")
        if not all(
            part in {"", "W"} or (code in OVERRIDING and _LISTED_ON.fullmatch(part))
            for part in why.split(";")
        ):  # such as Litigator, or a list of the company's own
            return Verdict.LISTED, "overrides_too_much"
        if self.block_line_types and kind in {*self.block_line_types, UNTOLD}:
            return Verdict.LISTED, f"line_{kind}"
        if today not in _NO_HOLIDAY:
            return Verdict.UNKNOWN, TODAY
        return Verdict.CLEAR, kind
