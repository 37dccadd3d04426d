"""The stage `scrub`: every phone against the Do-Not-Call store, then the decision."""

import uuid
from datetime import UTC, datetime

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl_dagster.defs.dnc import take_opt_outs
from etl_dagster.defs.partitions import chunk_partitions, chunks_in
from etl_dagster.defs.reporting import ChunkReport, Progress, column_schema
from etl_dagster.defs.resources import (
    DncStoreResource,
    HostLocks,
    PolicyResource,
    WarehouseResource,
)
from etl_dagster.dnc import DncStore, Lookup
from etl_dagster.leads.policy import Policy
from etl_dagster.leads.verdicts import Decision, Decisions, Evidence, Verdict, decide
from etl_dagster.progress import ProgressLogger
from etl_dagster.settings import Settings
from etl_dagster.warehouse import ledger, publication, scrubbing
from etl_dagster.warehouse.ledger import LedgerBatch, Provenance
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.tables import columns

SOURCE = "dnc"
CONSERVED = "every_lead_in_one_class"


def build_dnc_filtered(settings: Settings) -> dg.AssetsDefinition:
    """The asset `dnc_filtered`, with its conservation check."""

    @dg.asset(
        partitions_def=chunk_partitions(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[
            "ccc_enriched",
            dg.AssetDep("dnc_registry", partition_mapping=dg.AllPartitionMapping()),
            "internal_opt_outs",
        ],
        check_specs=[
            dg.AssetCheckSpec(
                CONSERVED,
                asset="dnc_filtered",
                blocking=True,
                description=(
                    "Every lead of the chunk is CALLABLE, BLOCKED, UNKNOWN or INVALID, exactly"
                    " once. If it fails: materialize the chunk from `leads` on again."
                ),
            )
        ],
        group_name="scrub",
        kinds={"snowflake", "sqlite", "table"},
        owners=["team:data"],
        code_version="1",
        metadata={"dagster/table_name": f"{settings.snowflake_schema}.DNC_FILTERED"},
        description=(
            "Each phone's Do-Not-Call verdict and the policy's decision on it: CALLABLE only if"
            " every required source says CLEAR and none of that has run out, BLOCKED if any says"
            " LISTED, UNKNOWN otherwise. Look-ups go to the SQLite store of this host."
        ),
    )
    def dnc_filtered(  # noqa: PLR0913, PLR0917  one resource each
        context: dg.AssetExecutionContext,
        warehouse: WarehouseResource,
        dnc_store: DncStoreResource,
        policy: PolicyResource,
        progress: dg.ResourceParam[Progress],
        locks: HostLocks,
    ) -> dg.MaterializeResult:
        step = progress.logger(context)
        rules = policy.load()
        report = ChunkReport(context)
        chunks = chunks_in(context)
        broken: list[str] = []
        take_opt_outs(step, dnc_store, locks)
        with (
            dnc_store.open(max_age_days=rules.dnc_max_age_days) as store,
            warehouse.for_step(context).session() as session,
        ):
            schema = column_schema(columns(session, "dnc_filtered"))
            for number, chunk in enumerate(chunks):
                origin = Provenance(
                    chunk=chunk,
                    source=SOURCE,
                    policy_hash=rules.hash,
                    run_id=context.run.run_id,
                    deployment=settings.deployment.value,
                )
                with locks.hold(chunk):
                    metadata = _scrub(session, store, origin, rules, step)
                    conservation = publication.check_conservation(session, chunk)
                report.checked(
                    CONSERVED,
                    chunk,
                    passed=conservation.violations == 0,
                    metadata=vars(conservation),
                )
                if conservation.violations:
                    broken.append(str(chunk))
                report.landed(chunk, {**metadata, "dagster/column_schema": schema})
                step.progress(
                    100 * (number + 1) / len(chunks), f"{chunk}: {metadata['phones']:,} phones"
                )
        return dg.MaterializeResult(
            metadata={f"seconds_{name}": round(value, 3) for name, value in step.timings.items()},
            check_results=[
                dg.AssetCheckResult(
                    check_name=CONSERVED,
                    passed=not broken,
                    metadata={"chunks": len(chunks), "chunks_violating": broken},
                )
            ],
        )

    return dnc_filtered


def _scrub(
    session: Session, store: DncStore, origin: Provenance, policy: Policy, step: ProgressLogger
) -> dict[str, float]:
    """Look the chunk's phones up, decide, replace the chunk; return its numbers."""
    with step.timed("read"):
        scrubbing.gather_evidence(session, origin.chunk)
        # of two look-ups the later has the later lists: so the moment is taken beside them
        moment = datetime.now(UTC)
        evidence = scrubbing.read_evidence(
            session,
            list_versions=store.lookup(np.empty(0, np.int64)).list_versions,
            policy_hash=policy.hash,
            ccc_ttl=policy.ccc_ttl,
            moment=moment,
        )
    with step.timed("look_up"):
        found = store.lookup(evidence.phones, versions=evidence.list_versions)
        decided = decide(
            {
                "ccc": evidence.ccc,
                SOURCE: Evidence(verdicts=found.verdicts, valid_until=found.valid_until),
            },
            required=policy.required_sources,
            moment=moment,
        )
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
    return {
        "dagster/row_count": sum(leads.values()),
        "phones": len(evidence.phones),
        **{
            f"phones_{decision.name.lower()}": int((decided.decisions == decision).sum())
            for decision in Decision
        },
        "phones_dnc_listed": int((found.verdicts == Verdict.LISTED).sum()),
        **{f"leads_{verdict.lower()}": count for verdict, count in leads.items()},
    }


def ledger_batch(
    phones: NDArray[np.int64], found: Lookup, which: NDArray[np.bool_], moment: datetime
) -> LedgerBatch:
    """Some of the phones of a look-up as a ledger batch."""
    return LedgerBatch(
        batch_id=str(uuid.uuid4()),
        phones=phones[which],
        verdicts=found.verdicts[which],
        reasons=_reasons(found).filter(pa.array(which)),
        valid_until=found.valid_until[which],
        list_versions=found.list_versions,
        checked_at=moment,
        evidence_hash="",
        endpoint="dnc-store",
    )


def decision_table(phones: NDArray[np.int64], found: Lookup, decided: Decisions) -> pa.Table:
    """What was found and decided as the rows of CHUNK_DECISIONS, one a phone."""
    return pa.table(
        {
            "PHONE": pa.array(phones),
            "DNC_VERDICT": _names(Verdict, found.verdicts),
            "DNC_REASON": _reasons(found),
            "LISTS": _lists(found),
            "VERDICT": _names(Decision, decided.decisions),
        }
    )


def _reasons(found: Lookup) -> pa.Array:
    """Why each phone is not CLEAR: the lists that have it, or what is unknown."""
    unknown = pa.array(found.reason_names).take(pa.array(found.reasons))
    return pc.if_else(pa.array(found.verdicts == Verdict.LISTED), _lists(found), unknown)


def _lists(found: Lookup) -> pa.Array:
    """The names of the lists that have each phone, separated by commas."""
    masks, place = np.unique(found.lists, return_inverse=True)
    names = [
        ",".join(name for bit, name in enumerate(found.list_names) if mask >> bit & 1)
        for mask in masks.tolist()
    ]
    return pa.array(names, pa.string()).take(pa.array(place))


def _names(kind: type[Verdict] | type[Decision], codes: NDArray[np.int8]) -> pa.Array:
    return pa.array([member.name for member in sorted(kind)]).take(pa.array(codes))
