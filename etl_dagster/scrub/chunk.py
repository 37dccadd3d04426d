"""A chunk scrubbed: its phones looked up, decided on, and the chunk replaced.

Belongs here: the steps of that and its counts. Does not: one look-up as rows (`lookup_rows.py`),
what the counts are worth (`oversight/findings.py`).
"""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc import DncStore, Lookup
from etl_dagster.leads.policy import Policy
from etl_dagster.leads.verdicts import Decision, Evidence, Verdict, decide
from etl_dagster.progress import ProgressLogger
from etl_dagster.scrub.lookup_rows import SOURCE, decision_table, ledger_batch
from etl_dagster.scrub.published import versions_of
from etl_dagster.warehouse import ledger, scrubbing
from etl_dagster.warehouse.ledger import Provenance
from etl_dagster.warehouse.session import Session

NUMBERS_OF_AN_AREA: Final = 10_000_000
"""A phone divided by this is its area code."""


@dataclass(frozen=True, kw_only=True)
class Scrubbed:
    """What became of a chunk: counts, nobody's data.

    Attributes:
        numbers: counts and rates by name.
        list_versions: the lists and versions that were asked.
        lists: list name to `{"phones": the chunk's phones on it}`.
        causes: why phones are not CALLABLE to `{"phones": how many}`; one may have several.
        not_covered: area code to the phones in it that no list covers.
    """

    numbers: Mapping[str, float]
    list_versions: str
    lists: Mapping[str, Mapping[str, int]]
    causes: Mapping[str, Mapping[str, int]]
    not_covered: Mapping[int, int]


def scrub_chunk(
    session: Session, store: DncStore, origin: Provenance, policy: Policy, step: ProgressLogger
) -> Scrubbed:
    """Look the chunk's phones up, decide, replace the chunk; return its numbers."""
    with step.timed("read"):
        scrubbing.gather_evidence(session, origin.chunk)
        # of two look-ups the later has the later lists: so the moment is taken beside them
        moment = datetime.now(UTC)
        evidence = scrubbing.read_evidence(
            session,
            list_versions=versions_of(store),
            policy=policy,
            moment=moment,
        )
    started = time.perf_counter()
    with step.timed("look_up"):
        found = store.lookup(evidence.phones, versions=evidence.list_versions, moment=moment)
        decided = decide(
            {
                **evidence.apis,
                SOURCE: Evidence(verdicts=found.verdicts, valid_until=found.valid_until),
            },
            required=policy.required_sources,
            moment=moment,
        )
    look_up = time.perf_counter() - started
    with step.timed("write"):
        known = evidence.dnc_on_record & (evidence.dnc_verdicts == found.verdicts)
        batch = ledger_batch(evidence.phones, found, ~known, moment)
        ledger.append(session, [batch], origin=origin)
        leads = scrubbing.write_dnc_filtered(
            session,
            origin.chunk,
            decision_table(evidence.phones, found, decided),
            moment=moment,
            policy_hash=policy.hash,
            run_id=origin.run_id,
        )
    not_covered = evidence.phones[_because(found, "not_covered")]
    return Scrubbed(
        numbers={
            "dagster/row_count": sum(leads.values()),
            "phones": len(evidence.phones),
            "phones_per_second": round(len(evidence.phones) / look_up, 1),
            **{
                f"phones_{decision.name.lower()}": int((decided.decisions == decision).sum())
                for decision in Decision
            },
            "phones_dnc_listed": int((found.verdicts == Verdict.LISTED).sum()),
            "phones_stale": sum(
                int(_because(found, reason).sum()) for reason in ("stale", "snapshot_stale")
            ),
            "phones_not_covered": len(not_covered),
            **{f"leads_{verdict.lower()}": count for verdict, count in leads.items()},
        },
        list_versions=found.list_versions,
        lists={
            name: {"phones": int(np.count_nonzero(found.lists >> np.uint64(bit) & np.uint64(1)))}
            for bit, name in enumerate(found.list_names)
        },
        causes={cause: {"phones": count} for cause, count in decided.counts().items()},
        not_covered=Counter((not_covered // NUMBERS_OF_AN_AREA).tolist()),
    )


def _because(found: Lookup, reason: str) -> NDArray[np.bool_]:
    """Which phones are UNKNOWN for a reason."""
    because: NDArray[np.bool_] = found.reasons == found.reason_names.index(reason)
    return because
