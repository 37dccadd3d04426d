"""Whether days may be handed to a dialler: finished, and no blocking check red.

Belongs here: the newest judgement of each blocking check on each chunk, and the sentences that
refuse a day. Does not: what is finished (`history.py`), what is then handed out.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from functools import cache
from typing import Final

import dagster as dg
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)

from etl_dagster.defs import history
from etl_dagster.defs.partitions import chunk_of
from etl_dagster.defs.stage_checks import CHECKS
from etl_dagster.leads.chunks import Chunk

PAGE: Final = 500
"""Judgements that are read at once."""
_JUDGED: Final = {
    AssetCheckExecutionRecordStatus.SUCCEEDED,
    AssetCheckExecutionRecordStatus.FAILED,
}


def refusals(
    instance: dg.DagsterInstance,
    days: Mapping[date, Collection[str]],
    *,
    chunks: int,
    policy_hash: str,
    accepted: Collection[str] = (),
) -> list[str]:
    """Why days may not be handed out, a sentence each; none if they may.

    Args:
        instance: whose history.
        days: the days, and the campaigns that are wanted of each.
        chunks: the number of chunks a day is cut into.
        policy_hash: the policy in force.
        accepted: names of checks that may be red, since a person has looked at it.
    """
    found = []
    for day in sorted(days):
        finished = history.finished_days(
            instance, chunks=chunks, policy_hash=policy_hash, campaigns=days[day], since=day
        )
        if day not in finished:
            found.append(
                f"{day} is not finished for {', '.join(sorted(days[day])) or 'all campaigns'} under"
                f" the policy in force: etl-dagster run --date {day}"
            )
    wanted = {Chunk(day, number) for day in days for number in range(chunks)}
    for check, red in red_checks(instance, wanted).items():
        if check.name not in accepted:
            where = ", ".join(str(chunk) for chunk in sorted(red))
            found.append(
                f"check {check.name} of {check.asset_key.to_user_string()} is red for {where}"
            )
    return found


def red_checks(
    instance: dg.DagsterInstance, chunks: Collection[Chunk]
) -> dict[dg.AssetCheckKey, set[Chunk]]:
    """The blocking checks of the stages whose newest judgement on one of the chunks is red.

    A judgement that is not about one chunk is about all chunks of its run, save those of which
    the same run said something of their own later.
    """

    @cache
    def covered(run_id: str) -> frozenset[Chunk]:
        run = instance.get_run_by_id(run_id)
        return frozenset(history.chunks_of(run)) if run else frozenset()

    found: dict[dg.AssetCheckKey, set[Chunk]] = {}
    for asset, checks in CHECKS.items():
        for check in checks:
            if not check.blocks:
                continue
            key = dg.AssetCheckKey(dg.AssetKey(asset), check.name)
            newest: dict[Chunk, bool] = {}
            for record in _judgements(instance, key):
                about = {chunk_of(record.partition)} if record.partition else covered(record.run_id)
                for chunk in about.intersection(chunks):
                    newest.setdefault(chunk, _is_red(record))
                if len(newest) == len(chunks):
                    break
            if red := {chunk for chunk, is_red in newest.items() if is_red}:
                found[key] = red
    return found


def _judgements(
    instance: dg.DagsterInstance, key: dg.AssetCheckKey
) -> Iterator[AssetCheckExecutionRecord]:
    """What a check found, newest first."""
    cursor = None
    while True:
        page = instance.event_log_storage.get_asset_check_execution_history(
            key, limit=PAGE, cursor=cursor, status=_JUDGED
        )
        yield from page
        if len(page) < PAGE:
            return
        cursor = page[-1].id


def _is_red(record: AssetCheckExecutionRecord) -> bool:
    """Whether a judgement stops what follows; a warning does not."""
    found = record.evaluation
    return found is None or (not found.passed and found.severity is dg.AssetCheckSeverity.ERROR)
