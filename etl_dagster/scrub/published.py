"""What is published, asked about again: what is no longer CLEAR, or long enough, is taken back.

Belongs here: one chunk's. Does not: when, and which chunks (`defs/retract.py`, `defs/publish.py`).
"""

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc import DncStore
from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.policy import Policy
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.scrub.lookup_rows import ledger_batch
from etl_dagster.warehouse import ledger, retraction
from etl_dagster.warehouse.ledger import Provenance
from etl_dagster.warehouse.session import Session


def retract_listed(session: Session, store: DncStore, origin: Provenance) -> tuple[int, int]:
    """Ask the store again about a chunk's published phones; take out what is no longer CLEAR.

    Returns:
        The number of phones that are no longer CLEAR, and of leads taken back.
    """
    phones = retraction.published_phones(session, origin.chunk, moment=datetime.now(UTC))
    blocked = record_listed(session, store, origin, phones)
    if not len(blocked):
        return 0, 0
    return len(blocked), retraction.retract(session, origin.chunk, blocked)


def retract_outdated(session: Session, store: DncStore, chunk: Chunk, policy: Policy) -> int:
    """Take out what another policy published, and for longer than the one in force would.

    So a policy that has become stricter holds before its days are run again. What the lists do not
    clear is for `retract_listed`.

    Returns:
        The number of leads taken back.
    """
    others = retraction.published_by_others(session, chunk, policy)
    if not len(others.phones):
        return 0
    found = store.lookup(others.phones, moment=datetime.now(UTC))
    shorter = (found.verdicts == Verdict.CLEAR) & (found.valid_until < others.until)
    outdated = others.phones[others.unproven | shorter]
    return retraction.retract(session, chunk, outdated) if len(outdated) else 0


def record_listed(
    session: Session, store: DncStore, origin: Provenance, phones: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Ask the store again about phones; what is no longer CLEAR is in the ledger when it returns.

    Returns:
        The phones that are no longer CLEAR.
    """
    moment = datetime.now(UTC)
    found = store.lookup(phones, moment=moment)
    blocked = found.verdicts != Verdict.CLEAR
    if blocked.any():
        ledger.append(session, [ledger_batch(phones, found, blocked, moment)], origin=origin)
    no_longer_clear: NDArray[np.int64] = phones[blocked]
    return no_longer_clear


def versions_of(store: DncStore) -> str:
    """The versions of the lists as they are now; an opt-out makes a new one."""
    return store.lookup(np.empty(0, np.int64)).list_versions
