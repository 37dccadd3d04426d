"""The stage that never ends: published leads are taken back when a list has their phone.

Belongs here: asking the Do-Not-Call store again about what is published, and holding what another
policy published to the one in force. Does not: loading lists
(`dnc.py`), or publishing (`publish.py`, which asks again about each chunk that it publishes).
"""

from datetime import UTC, datetime

import dagster as dg

from etl_dagster.defs import catalog, history
from etl_dagster.defs.resources import (
    DncStoreResource,
    PolicyResource,
    WarehouseResource,
    WriterLocks,
)
from etl_dagster.defs.step_events import Progress, provenance
from etl_dagster.leads.policy import LOOSEST, PolicyError
from etl_dagster.scrub.lookup_rows import SOURCE
from etl_dagster.scrub.published import retract_listed, retract_outdated
from etl_dagster.settings import Settings
from etl_dagster.warehouse import call_windows, policies, retraction

NAME = "retractions"
SEEN = "publications_seen"
"""Metadata: where in the event log the newest publication was that is surely held against the
lists; what came later may have been published after its chunk was read."""

SEAL = "lists_seal"
"""Metadata: digest over every list that was asked. Of a store that was restored from a backup other
lists may have the same version numbers."""

INTERRUPTED = "publication_interrupted"
"""Metadata: the run that had ended last while it published; its publications may be in no event."""


def build_retractions(settings: Settings) -> dg.AssetsDefinition:
    """The asset `retractions`."""

    @dg.asset(
        name=NAME,
        deps=[
            dg.AssetDep("dnc_registry", partition_mapping=dg.AllPartitionMapping()),
            "internal_opt_outs",
            dg.AssetDep("callable_leads", partition_mapping=dg.AllPartitionMapping()),
        ],
        group_name="publish",
        kinds={"snowflake", "sqlite"},
        owners=["team:compliance"],
        tags=catalog.tags("publish"),
        metadata=catalog.links("mask_callable_leads", docs=["operations.md"]),
        code_version="2",
        description=(
            "Published leads asked about again after the Do-Not-Call store has changed: an opt-out"
            " or a new list entry becomes a verdict in the ledger, which CALLABLE_NOW obeys at"
            " once, and the phone is taken out of CALLABLE_LEADS. After the policy has become"
            " stricter, so are phones that were published under an older one for longer than it"
            " allows. Where the policy cannot be read, what no policy clears is taken back, and the"
            " run fails."
        ),
    )
    def retractions(  # noqa: PLR0913, PLR0917  one resource each
        context: dg.AssetExecutionContext,
        warehouse: WarehouseResource,
        dnc_store: DncStoreResource,
        policy: PolicyResource,
        progress: dg.ResourceParam[Progress],
        locks: WriterLocks,
    ) -> dg.MaterializeResult:
        step = progress.logger(context)
        fault = None
        try:
            rules = policy.load()
        except PolicyError as error:
            fault, rules = error, LOOSEST  # who opts out does not wait until it is mended
        blocked = retracted = outdated = 0
        with (
            dnc_store.open(rules) as store,
            warehouse.for_step(context).session() as session,
        ):
            lists = store.contents()
            # before the locks: a chunk is in the event log after it is published
            seen = history.newest_publication(context.instance)
            interrupted = history.newest_interrupted(context.instance)
            for number in range(settings.chunks):
                # what is being published was asked about before: it counts as published
                with locks.hold_everywhere(publication_of(number), session):
                    pass
            chunks = retraction.published_chunks(session, moment=datetime.now(UTC))
            if chunks:
                policies.keep_policy(session, rules, run_id=context.run.run_id)
            for number, chunk in enumerate(chunks):
                origin = provenance(context, settings, rules, chunk, source=SOURCE)
                with locks.hold_everywhere(chunk, session):
                    phones, leads = retract_listed(session, store, origin)
                blocked, retracted = blocked + phones, retracted + leads
                step.progress(
                    100 * (number + 1) / len(chunks), f"{chunk}: {leads:,} leads retracted"
                )
            if fault:
                raise fault
            # after all opt-outs, which are not to wait for it
            with locks.hold_everywhere("call windows", session):
                call_windows.keep_up(session, rules.hours, today=datetime.now(UTC).date())
            for chunk in retraction.published_chunks(
                session, moment=datetime.now(UTC), other_than=rules.hash
            ):
                with locks.hold_everywhere(chunk, session):
                    outdated += retract_outdated(session, store, chunk, rules)
        return dg.MaterializeResult(
            metadata={
                history.VERSIONS: lists.list_versions,
                SEAL: lists.seal,
                SEEN: seen,
                INTERRUPTED: interrupted,
                history.POLICY: rules.hash,
                "chunks": len(chunks),
                "phones_blocked": blocked,
                "leads_retracted": retracted,
                "leads_outdated": outdated,
            }
        )

    return retractions


def publication_of(number: int) -> str:
    """The lock of all days' publications of a bucket: days publish each other's leads."""
    return f"publish chunk {number:02d}"
