"""Putting the evidence for one phone together: what `evidence.json` and the files beside it hold.

Belongs here: which verdicts are needed, and what goes with each. Does not: pages (`page.py`), the
folder (`pack.py`), the proofs (`verify.py`).

A day's decisions rest on each source's newest verdict, which may be of another day: those are
included, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from importlib import metadata
from typing import Any, Final

from etl_dagster.evidence import chains, verify
from etl_dagster.evidence.days import days_of
from etl_dagster.evidence.decisions import Rules
from etl_dagster.evidence.forms import iso, plain
from etl_dagster.evidence.lists import Lists, OpenStore
from etl_dagster.warehouse import export, retention
from etl_dagster.warehouse.answers import damaged, read_answers
from etl_dagster.warehouse.examination import Flaw
from etl_dagster.warehouse.phone_history import VerdictRow, read_history
from etl_dagster.warehouse.policies import KeptPolicy, read_policies
from etl_dagster.warehouse.session import Session

TABLES: Final = (
    "leads",
    "phone_verdicts",
    "scrub_batches",
    "ccc_answers",
    "policies",
    "dnc_filtered",
    "callable_leads",
    "exports",
    "retentions",
)
"""What is read."""
MOST_EXPORTS: Final = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where the evidence is from, for whoever reads it.

    Attributes:
        ledger: how the ledger is called: account, database and schema.
        deployment: `local` has nobody's real phones in it.
        ui_url: where runs can be looked at.
        made_at: now, aware.
        keeps_answers: whether the settings of now have raw answers kept.
    """

    ledger: str
    deployment: str
    ui_url: str
    made_at: datetime
    keeps_answers: bool = True


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The evidence for one phone.

    Attributes:
        content: what `evidence.json` holds.
        files: name to content of the files that it names.
        flaws: what is wrong with the ledger there.
    """

    content: dict[str, Any]
    files: dict[str, bytes]
    flaws: list[Flaw]


def gather(  # noqa: PLR0913  what of, from where, and for whom
    session: Session,
    phone: int,
    *,
    only: date | None,
    open_store: OpenStore,
    in_force: Mapping[str, str],
    origin: Origin,
) -> Evidence:
    """Gather the evidence for a phone.

    Args:
        session: a session without an open transaction.
        phone: 10 digits.
        only: one lead date; every one in which it occurs if None.
        open_store: opens the Do-Not-Call store.
        in_force: hash to text of a policy that may not be on record: that of the settings.
        origin: where all of it is from.

    Raises:
        EvidenceError: the phone does not occur.
        DncError: there is no Do-Not-Call store, or it is damaged.
        WarehouseError: the warehouse refused.
    """
    history = read_history(session, phone)
    kept = read_policies(session)
    texts = {**in_force, **{one.policy_hash: one.text for one in kept if one.whole}}
    proven = {row.policy_hash: row for row in history.verdicts}  # no other policy can be
    rules = {digest: Rules.of(text) for digest, text in texts.items() if digest in proven}
    exports = export.exports(session, most=MOST_EXPORTS)[::-1]
    days = days_of(history, rules, retention.removed_days(session), exports, only)
    made = [one for day in days for one in day.made]
    needed = {row for one in made for row in one.words.values()}
    wanted = {day.lead_date for day in days}
    needed |= {row for row in history.verdicts if row.lead_date in wanted}
    lacking = rules.keys() & {one.moment.policy_hash for one in made}
    needed |= {proven[one] for one in lacking - {row.policy_hash for row in needed}}
    rows = [row for row in history.verdicts if row in needed]
    names = {row: f"v{number}" for number, row in enumerate(rows, 1)}
    lists = Lists(open_store, phone)
    proof = chains.prove(session, rows)
    flaws = [*proof.flaws, *_changed_policies(kept, rows)]
    files = dict(proof.files)
    batches = {
        batch_id: {
            "rows_file": proof.rows_files.get(batch_id),
            **_answer(session, row, phone, files, flaws, keeps=origin.keeps_answers),
        }
        for batch_id, row in {row.batch_id: row for row in rows}.items()
    }
    used = {row.policy_hash for row in rows} | {one.moment.policy_hash for one in made}
    content = {
        "format": verify.FORMAT,
        "made_at": iso(origin.made_at),
        "made_with": metadata.version("etl-dagster"),
        "ledger": origin.ledger,
        "deployment": origin.deployment,
        "phone": phone,
        "only_day": plain(only),
        "findings": [
            {
                "kind": flaw.kind,
                "says": flaw.says,
                **plain(flaw.key._asdict()),
                "position": flaw.position,
                "batch_id": flaw.batch_id,
            }
            for flaw in flaws
        ],
        "days": [day.describe(names, exports) for day in days],
        "verdicts": {
            name: {
                "row": plain(row),
                "run": f"{origin.ui_url}/runs/{row.run_id}",
                "lists": lists.explain(row, rules.get(row.policy_hash))
                if row.list_versions
                else None,
            }
            for row, name in names.items()
        },
        "batches": batches,
        "chains": proof.chains,
        "policies": {
            digest: _policy(digest, texts[digest], kept) for digest in sorted(used & rules.keys())
        },
        "requests": lists.requests,
        "heads": None,
    }
    return Evidence(content=content, files=files, flaws=flaws)


def _answer(  # noqa: PLR0913  of what, and where to
    session: Session,
    row: VerdictRow,
    phone: int,
    files: dict[str, bytes],
    flaws: list[Flaw],
    *,
    keeps: bool,
) -> dict[str, Any]:
    """The raw answer of a verdict's batch, put among the files, or why there is none."""
    if not row.evidence_hash:
        return {"answer": None, "no_answer": None}
    why = (
        "none is kept: it came while ETL_KEEP_CCC_ANSWERS was off, or repeated the key, or somebody"
        " removed it"
        if keeps
        else "none is kept: ETL_KEEP_CCC_ANSWERS is off"
    )
    for kept in read_answers(session, row.batch_id):
        fault = kept.fault or (
            "" if kept.evidence_hash == row.evidence_hash else "it is not that of the verdict"
        )
        if fault:
            flaws.append(damaged(row.chain, row.batch_id, fault))
            why = f"what is kept is not it: {fault}"
            continue
        number = sum(name.startswith(f"{chains.OTHER_PHONES}/answer-") for name in files) + 1
        name = f"{chains.OTHER_PHONES}/answer-{number}.json"
        files[name] = kept.body
        answer = {
            "file": name,
            "answered_at": iso(kept.answered_at),
            "endpoint": kept.endpoint,
            "byte_count": len(kept.body),
            "entries": verify.entries_of(kept.body, phone),
        }
        return {"answer": answer, "no_answer": None}
    return {"answer": None, "no_answer": why}


def _changed_policies(kept: list[KeptPolicy], rows: list[VerdictRow]) -> list[Flaw]:
    """Policies of the verdicts whose text is not that which was written."""
    first = {row.policy_hash: row for row in reversed(rows)}
    return [
        Flaw(
            kind="policy",
            says=f"the text that is kept of its policy {one.policy_hash[:8]} was changed",
            key=first[one.policy_hash].chain,
            batch_id=first[one.policy_hash].batch_id,
        )
        for one in kept
        if not one.whole and one.policy_hash in first
    ]


def _policy(digest: str, text: str, kept: list[KeptPolicy]) -> dict[str, Any]:
    return {
        "text": text,
        "uses": [
            {
                "code_version": one.code_version,
                "first_used_at": iso(one.first_used_at),
                "first_run_id": one.first_run_id,
            }
            for one in kept
            if one.policy_hash == digest
        ],
    }
