"""The check that every opt-out has its effect in time, counted from when the person asked.

Belongs here: what still waits, wherever it waits, and what was recorded of late. Does not: taking
opt-outs (`opt_outs.py`), business days, how many are too many (`oversight/findings.py`).

An opt-out has its effect when its phone is on the internal list and in no published lead. It waits
while it lies in the inbox, or is in the table and not on record (or its phone cannot be read, so
that nobody can put it there), or its phone is still published.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import dagster as dg
import numpy as np
from numpy.typing import NDArray

from etl_dagster.defs.checks import Check, check_result, watched
from etl_dagster.defs.dnc import INTERNAL
from etl_dagster.defs.jobs import AGE_CHECK
from etl_dagster.defs.opt_outs import NAME
from etl_dagster.defs.resources import DncStoreResource, PolicyResource, WarehouseResource
from etl_dagster.dnc import DncError, DncStore, inbox
from etl_dagster.dnc.opt_out_rows import OnRecord, new_requests
from etl_dagster.dnc.requests import Moments, recorded, standing
from etl_dagster.oversight.business_days import business_days
from etl_dagster.oversight.findings import Finding, Level, judge_opt_outs
from etl_dagster.settings import Settings
from etl_dagster.warehouse import retraction
from etl_dagster.warehouse.errors import WarehouseError
from etl_dagster.warehouse.opt_outs import read_opt_outs
from etl_dagster.warehouse.session import Session

IN_TIME: Final = Check(
    name=AGE_CHECK.name,
    blocks=False,
    says=(
        "No opt-out waits for its effect (on the internal list, and in no published lead) for 5"
        " business days, nor for more than the 10 of 47 CFR 64.1200(d)(3), which is an error; none"
        " of the last 30 days took more than 10 to be recorded; and no file of them waits where,"
        " DNC_INBOX being elsewhere, nobody reads it. An error fails the hourly run, so"
        " that people are told."
    ),
    advice="see docs/opt_outs.md; `etl-dagster retract` takes in what waits and takes leads back.",
)
RECENT: Final = timedelta(days=30)
"""Opt-outs recorded within so long are looked back on."""


def build_opt_out_check(settings: Settings) -> dg.AssetChecksDefinition:
    """The check."""

    @dg.asset_check(
        asset=AGE_CHECK.asset_key,
        name=AGE_CHECK.name,
        description=IN_TIME.description,
    )
    def opt_outs_have_effect_in_time(
        context: dg.AssetCheckExecutionContext,
        warehouse: WarehouseResource,
        dnc_store: DncStoreResource,
        policy: PolicyResource,
    ) -> dg.AssetCheckResult:
        now = datetime.now(UTC)
        try:
            with (
                warehouse.open(check=AGE_CHECK.name).session() as session,
                dnc_store.open(policy.load()) as store,
            ):
                finding = measure(
                    session,
                    store,
                    inbox_folder=Path(dnc_store.opt_out_inbox),
                    table=settings.opt_outs_table,
                    now=now,
                )
        except (DncError, WarehouseError) as error:
            finding = Finding(level=Level.WRONG, says=f"how long opt-outs wait is unknown: {error}")
        read, unread = settings.opt_out_inbox_dir, settings.home / "inbox" / "opt_outs"
        if unread.resolve() != read.resolve() and (files := inbox.waiting(unread)):
            says = f"nobody reads the {len(files):,} opt-out files in {unread}: move them to {read}"
            finding = Finding(level=Level.WRONG, says=says, numbers=finding.numbers)
        context.op_execution_context.log_event(
            dg.AssetObservation(NAME, metadata=dict(finding.numbers))
        )
        result = check_result(AGE_CHECK.name, [(finding, None)])
        return watched(context, AGE_CHECK, result, advice=IN_TIME.advice)

    return opt_outs_have_effect_in_time


def measure(
    session: Session, store: DncStore, *, inbox_folder: Path, table: str | None, now: datetime
) -> Finding:
    """Count what waits, how long it has, and how long it took what was recorded of late.

    Raises:
        DncError: the store is damaged.
        WarehouseError: Snowflake cannot be reached, or the table cannot be read.
    """
    rows = read_opt_outs(session, table) if table else None  # before the requests on record
    lists = [one.list for one in store.stats() if one.kind == INTERNAL]
    files = [
        *inbox.arrivals(inbox.waiting(inbox_folder, now=np.inf)),
        *inbox.arrivals(inbox.rejected(inbox_folder)),
    ]
    waiting = {
        "published": _published(session, [standing(store.requests(name)) for name in lists], now),
        "in_table": _moments([]),
        "unreadable": _moments([]),
        "in_files": _moments(files),
    }
    if rows is not None and table:
        known = OnRecord.of(store.requests(), table=table)
        asked = new_requests(known, rows.phones, rows.moments, table=table, now=now)
        waiting["in_table"] = _moments([one.received or now for one in asked])
        latest = _moments([now])
        waiting["unreadable"] = np.fmin(rows.unread, latest)  # which takes NaT for now
    late = [recorded(store.requests(name), since=now - RECENT) for name in lists]
    taken = [business_days(first, last) for first, last in late]
    return judge_opt_outs(
        {
            where: business_days(moments, np.broadcast_to(_moments([now]), len(moments))).tolist()
            for where, moments in waiting.items()
        },
        recorded=[days for one in taken for days in one.tolist()],
    )


def _published(
    session: Session, lists: Sequence[tuple[NDArray[np.int64], Moments]], now: datetime
) -> Moments:
    """When those asked whose phone is still in a lead that may be dialled, each phone once."""
    since: dict[int, np.datetime64] = {}
    for chunk in retraction.published_chunks(session, moment=now):
        published = retraction.published_phones(session, chunk, moment=now)
        for phones, moments in lists:
            _, _, at = np.intersect1d(published, phones, return_indices=True)
            for place in at.tolist():
                phone = int(phones[place])
                since[phone] = min(since.get(phone, moments[place]), moments[place])
    return np.array(list(since.values()), "datetime64[us]")


def _moments(moments: Sequence[datetime]) -> Moments:
    """Aware datetimes as numpy keeps them, in UTC."""
    return np.array([one.astimezone(UTC).replace(tzinfo=None) for one in moments], "datetime64[us]")
