"""Commands of `etl-dagster dnc` that only read the store.

Belongs here: check, explain, stats, verify, export. Does not: printing tables (terminal.py).
`check` and `explain` judge as the pipeline does: by the policy in force, and not at all by sample
lists in production.
"""

import csv
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

import click
import numpy as np

from etl_dagster.dnc import terminal
from etl_dagster.dnc.cli_options import (
    dnc,
    json_option,
    list_option,
    max_age_option,
    past_option,
    policy_in_force,
    policy_option,
    store_option,
)
from etl_dagster.dnc.errors import DncUsageError
from etl_dagster.dnc.formats import LOWEST
from etl_dagster.dnc.lookup import Lookup
from etl_dagster.dnc.phones_text import read_phones
from etl_dagster.dnc.store import DncStore
from etl_dagster.leads.policy import Policy
from etl_dagster.leads.verdicts import Verdict

FAILED_ON: Final = 3
"""Exit status of `check --fail-on` when a phone has one of the verdicts named."""
BATCH: Final = 100_000
"""Phones looked up at once."""
COLUMNS: Final = ("phone", "verdict", "lists", "reason")
VERDICTS: Final = ("clear", "listed", "unknown", "invalid")


def _verdict_names(ctx: click.Context, param: click.Parameter, value: str) -> frozenset[str]:
    names = frozenset(part.strip() for part in value.split(",") if part.strip())
    if names - set(VERDICTS):
        raise click.BadParameter(f"expected some of {', '.join(VERDICTS)}", ctx, param)
    return names


@dnc.command()
@click.argument("phones", nargs=-1)
@click.option(
    "--file", type=click.File("r", errors="replace"), help="One phone a line; - is stdin."
)
@past_option
@click.option("--format", "form", type=click.Choice(("csv", "json")), default="csv")
@click.option(
    "--fail-on",
    default="",
    callback=_verdict_names,
    help=f"Exit with status {FAILED_ON} if any phone is one of these (listed,unknown).",
)
@policy_option
@max_age_option
@store_option
def check(
    store: Path,
    phones: tuple[str, ...],
    policy_file: Path,
    max_age_days: int | None,
    **options: Any,
) -> None:
    """Say of PHONES, a file or a pipe (-): phone, verdict, lists, reason."""
    file: IO[str] | None = options["file"]
    if bool(phones) == bool(file):
        raise click.UsageError("give phones, or --file, or - for standard input")
    lines: Iterable[str] = (file or sys.stdin) if file or phones == ("-",) else phones
    texts = (text for line in lines if (text := line.strip()))
    seen: set[str] = set()
    with _judge(store, policy_in_force(policy_file, max_age_days)) as dnc_store:
        if options["form"] == "csv":
            click.echo(",".join(COLUMNS))
        while batch := list(islice(texts, BATCH)):
            answer = dnc_store.lookup(read_phones(batch), options["as_of"])
            rows = list(_rows(batch, answer))
            seen.update(row[1] for row in rows)
            click.echo(_shown(rows, options["form"]), nl=False)
    if seen & options["fail_on"]:
        sys.exit(FAILED_ON)


@dnc.command()
@click.argument("phone")
@past_option
@json_option
@policy_option
@max_age_option
@store_option
def explain(  # noqa: PLR0913  one option each
    store: Path,
    phone: str,
    as_of: datetime | None,
    policy_file: Path,
    max_age_days: int | None,
    *,
    as_json: bool,
) -> None:
    """Say why PHONE is answered as it is: policy, list, version, file, dates."""
    number = int(read_phones([phone])[0])
    if number < LOWEST:
        raise DncUsageError("that is not a phone: expected ten digits")
    policy = policy_in_force(policy_file, max_age_days)
    with _judge(store, policy) as dnc_store:
        terminal.print_explanation(
            dnc_store.explain(number, as_of),
            file=str(policy_file),
            policy=policy,
            as_json=as_json,
        )
        if not as_json:
            _tell_replica(dnc_store)


@dnc.command()
@click.option("--list", "name", help="Show the versions of this list instead.")
@json_option
@policy_option
@max_age_option
@store_option
def stats(
    store: Path, name: str | None, policy_file: Path, max_age_days: int | None, *, as_json: bool
) -> None:
    """Show every list: numbers, area codes, age, freshness left, size, versions."""
    with DncStore.open_under(store, policy_in_force(policy_file, max_age_days)) as dnc_store:
        if name is not None:
            terminal.print_history(dnc_store.history(name), as_json=as_json)
            return
        terminal.print_stats(dnc_store.stats(), as_json=as_json)
        if not as_json:
            _tell_replica(dnc_store)


@dnc.command()
@json_option
@store_option
def verify(store: Path, *, as_json: bool) -> None:
    """Read and check the whole store, history included."""
    with DncStore.open(store) as dnc_store:
        done = dnc_store.verify()
    if as_json:
        click.echo(json.dumps({"ok": True, **vars(done)}))
    else:
        click.echo(
            f"sound: {done.lists:,} lists, {done.versions:,} versions, {done.segments:,} area code "
            f"states, {done.numbers:,} numbers, {done.requests:,} opt-out requests"
        )


@dnc.command()
@list_option
@past_option
@click.option("--output", "-o", type=click.Path(path_type=Path), help="[default: standard output]")
@click.option("--format", "form", type=click.Choice(("flat", "digits")), default="flat")
@store_option
def export(store: Path, name: str, as_of: datetime | None, output: Path | None, form: str) -> None:
    """Write a list's numbers, one a line: 407,5551234 (flat) or 4075551234 (digits)."""
    with DncStore.open(store) as dnc_store:
        pieces = (
            terminal.lines(numbers, comma=form == "flat")
            for numbers in dnc_store.export(name, as_of)
        )
        if output is None:
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            return
        draft = output.with_name(f".{output.name}.part")
        with draft.open("wb") as file:
            file.writelines(pieces)
        draft.replace(output)


def _tell_replica(store: DncStore) -> None:
    """Say until when a replica clears anybody."""
    until = store.evidence_until()
    if until is not None:
        ended = until < datetime.now(UTC)
        click.echo(
            "a replica, too old to clear anybody: etl-dagster dnc fetch"
            if ended
            else f"a replica, which clears phones until {until:%Y-%m-%d %H:%M} UTC"
        )


def _judge(path: Path, policy: Policy) -> DncStore:
    """Open the store for verdicts, as the pipeline does.

    Raises:
        DncUsageError: it holds sample lists, in production.
    """
    store = DncStore.open_under(path, policy)
    if os.environ.get("ETL_DEPLOYMENT") == "production":
        store.refuse_sample()
    return store


def _rows(texts: list[str], answer: Lookup) -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    names = [verdict.name.lower() for verdict in Verdict]
    masks, first = np.unique(answer.lists, return_index=True)
    lists = dict(zip(masks.tolist(), map(answer.names, first.tolist()), strict=True))
    for text, code, reason, mask in zip(
        texts, answer.verdicts.tolist(), answer.reasons.tolist(), answer.lists.tolist(), strict=True
    ):
        why = answer.reason_names[reason]
        yield text, "invalid" if why == "invalid" else names[code], lists[mask], why


def _shown(rows: Iterable[tuple[str, str, tuple[str, ...], str]], form: str) -> str:
    if form == "json":
        return "".join(json.dumps(dict(zip(COLUMNS, row, strict=True))) + "\n" for row in rows)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(
        (phone, verdict, ";".join(lists), reason) for phone, verdict, lists, reason in rows
    )
    return out.getvalue()
