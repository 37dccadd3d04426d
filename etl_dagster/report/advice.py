"""Why phones are unknown, and what to do about each reason: one line of advice.

Belongs here: the advice. Does not: deciding, or where a reason comes from (`ccc/errors.py`,
`dnc/lookup.py`, `insert_dnc_filtered.sql`).
"""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Final

from etl_dagster.leads.policy_text import APIS
from etl_dagster.report.markdown import count, table, text

AGAIN: Final = "run the day again, which asks only for what is missing"

_ADVICE: Final[Mapping[str, str]] = {
    "not_checked": f"No source was asked: {AGAIN}.",
    "ccc:not_checked": f"CCC was not asked: {AGAIN}.",
    "ccc:expired": f"The answer ran out before the decision: {AGAIN}.",
    "dnc:expired": (
        "A list grew too old at the moment of the decision: load a newer one, then run the day"
        " again."
    ),
    "ccc:breaker_open": (
        f"CCC kept failing, so the circuit was opened to spare it: when it is well, {AGAIN}."
    ),
    "ccc:deadline": (
        f"The chunk took too long: {AGAIN}; if it happens often, raise CCC_REQUESTS_PER_MINUTE"
        " or CCC_MAX_WORKERS as far as the contract allows."
    ),
    "ccc:timeout": f"CCC was too slow to answer: {AGAIN}; if it stays so, ask the vendor.",
    "ccc:connection_failed": (
        f"CCC could not be reached: check the network and CCC_API_URL, then {AGAIN}."
    ),
    "ccc:malformed_response": (
        f"CCC's answer was not exactly about what was asked: {AGAIN}; if it stays so, ask the"
        " vendor."
    ),
    "ccc:rejected_400": (
        "CCC refuses these phones: nothing to do, they stay unknown and are not called."
    ),
    "ccc:batch_rejected": (
        "CCC refuses a batch for some phones in it, which were not told apart from the others:"
        f" {AGAIN}; if it stays so, ask the vendor."
    ),
    "ccc:do_not_call_today": (
        "A holiday where they are: run the day again on another, if its leads are still wanted."
    ),
    "ccc:other_policy": f"What was answered was judged by another policy: {AGAIN}.",
    "ccc:invalid": "No number that CCC takes: correct it at the source.",
    "ccc:http_429": (
        f"CCC wants fewer requests: lower CCC_REQUESTS_PER_MINUTE to the contract's, then {AGAIN}."
    ),
    "dnc:no_list": (
        "There is no national list, or one that the policy names is missing: load it (`etl-dagster"
        " dnc load FILE --list national --as-of DATE`), then run the day again."
    ),
    "dnc:not_covered": (
        "The national list in place does not cover their area codes: subscribe to these area codes"
        " and load them, or leave them uncalled."
    ),
    "dnc:stale": (
        "A required list was too old: load a newer one (`etl-dagster dnc load` or the inbox), then"
        " run the day again."
    ),
    "dnc:snapshot_stale": (
        "The host's copy of the Do-Not-Call store was too old, since no newer one could be"
        " fetched: see that the host that keeps the lists exports and this one can fetch"
        " (`etl-dagster dnc fetch` says why not), then run the day again."
    ),
    "dnc:opted_out": (
        "The table of opt-outs has them, the lists not yet: nothing to do, they stay uncalled and"
        " are on the list once the host that keeps it has taken them."
    ),
    "dnc:invalid": "No number that a list could have: correct it at the source.",
}
_CCC_FAILED: Final = f"CCC failed: look at the vendor's status page, then {AGAIN}."
_OTHER: Final = f"Look at the run's log in the UI, then {AGAIN}."


def advice(reason: str) -> str:
    """What to do about one reason, as Markdown; all services of CCC fail alike."""
    source, _, why = reason.partition(":")
    reason = f"ccc:{why}" if source in APIS else reason
    fallback = _CCC_FAILED if reason.startswith("ccc:") else _OTHER
    return _ADVICE.get(reason, fallback)


def advice_section(day: date, reasons: Mapping[str, int], unjudged: int) -> list[str]:
    """The section: a row a reason; none where nothing is unknown.

    Args:
        day: whose leads.
        reasons: why phones are UNKNOWN, to distinct phones; several reasons are separated by
            spaces.
        unjudged: leads that no stage has decided on.
    """
    each: Counter[str] = Counter()
    for several, phones in reasons.items():
        each.update(dict.fromkeys(several.split(), phones))
    rows = [
        [text(reason), count(phones), advice(reason)]
        for reason, phones in sorted(each.items(), key=lambda item: (-item[1], item[0]))
    ]
    blocks = []
    if rows:
        blocks = [
            "## Why phones are unknown, and what to do",
            "Nobody who is unknown is called. A phone with two reasons counts under both.",
            table(["reason", "phones", "what to do"], rows, align="lrl"),
        ]
    if unjudged:
        blocks.append(f"**{count(unjudged)} leads are not decided yet**: {AGAIN}.")
    if blocks:
        blocks.append(f"To run the day again: `etl-dagster run --date {day}`.")
    return blocks
