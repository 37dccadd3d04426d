"""The commands `etl-dagster ledger`: proof that the ledger is what was written.

Belongs here: options, exit status, what is shown. Does not: what is wrong with a ledger
(`warehouse/verification.py`). Nothing of Dagster is imported.
"""

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from etl_dagster.cli.options import DAY, EXISTING, FILE, read_settings, write_json

if TYPE_CHECKING:
    from etl_dagster.warehouse.examination import Flaw
    from etl_dagster.warehouse.verification import Verification

SHOWN: Final = 50
"""So many flaws are shown; `--json` has all of them."""


@click.group()
def ledger() -> None:
    """The verdict ledger: verify it, anchor it."""


@ledger.command()
@click.option("--from", "first", type=DAY, help="First day; default: the first there is.")
@click.option("--to", "last", type=DAY, help="Last day; default: the last there is.")
@click.option("--heads", "heads_file", type=EXISTING, help="Heads that must still be there.")
@click.option("--public-key", type=EXISTING, help="Who must have signed them (PEM, Ed25519).")
@click.option("--show-phones", is_flag=True, help="Do not mask phones.")
@click.option("--json", "json_file", type=FILE, help="Write what was examined and found.")
def verify(  # noqa: PLR0913  one option each
    first: datetime | None,
    last: datetime | None,
    heads_file: Path | None,
    public_key: Path | None,
    *,
    show_phones: bool,
    json_file: Path | None,
) -> None:
    """Recompute every digest of the ledger and name what is not as it was written.

    Exit status 0 only if all of it is whole. Runs may go on meanwhile.
    """
    if first and last and first > last:
        raise click.UsageError("--from is after --to")
    if public_key and not heads_file:
        raise click.UsageError("--public-key is for a file of --heads")
    settings = read_settings()
    from etl_dagster.connect import connect
    from etl_dagster.warehouse import heads, verification

    kept = heads.read_file(heads_file, public_key=public_key) if heads_file else None
    with connect(settings, reads=verification.TABLES).session() as session:
        found = verification.verify(
            session,
            first=first.date() if first else date.min,
            last=last.date() if last else date.max,
            heads=kept.heads if kept else (),
            retentions_head=kept.retentions if kept else None,
        )
    write_json(_record(found, show_phones=show_phones), json_file)
    _show(found, show_phones=show_phones)
    if not found.whole:
        raise SystemExit(1)


@ledger.command()
@click.option("--out", type=FILE, required=True, help="The file to write.")
def heads(out: Path) -> None:
    """Write where every chain ends now: keep the file where this warehouse cannot be written from.

    It is signed if ETL_LEDGER_KEY_PATH names a key.
    """
    settings = read_settings()
    from etl_dagster.connect import connect
    from etl_dagster.warehouse import heads as anchors

    with connect(settings, reads=anchors.TABLES).session() as session:
        found = anchors.read_heads(session, ledger=settings.ledger_name)
    anchors.write_file(found, out, private_key=settings.ledger_key_path)
    signed = "signed" if settings.ledger_key_path else "not signed: ETL_LEDGER_KEY_PATH is not set"
    click.echo(f"{len(found.heads):,} heads in {out} ({signed})")


@ledger.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
def keygen(out: Path) -> None:
    """Make a pair of keys in the folder OUT, to sign heads with."""
    from etl_dagster.identity.signatures import make_keys

    private, public = make_keys(out)
    click.echo(f"private key: {private}  (set ETL_LEDGER_KEY_PATH to it, and keep it secret)")
    click.echo(f"public key:  {public}  (give it to whoever verifies)")


def _show(found: "Verification", *, show_phones: bool) -> None:
    from etl_dagster.cli import show

    console = show.make_console()
    if found.flaws:
        shown = [_flaw_record(flaw, show_phones=show_phones) for flaw in found.flaws[:SHOWN]]
        console.print(show.records_table(shown))
        if len(found.flaws) > SHOWN:
            console.print(f"and {len(found.flaws) - SHOWN:,} more: --json FILE has all of them")
    console.print(
        f"{found.chains:,} chains, {found.batches:,} batches, {found.rows:,} verdicts examined"
        + (f"; {found.anchored:,} heads found again" if found.anchored else "")
        + (f"; {found.removed:,} heads removed by retention, on record" if found.removed else "")
    )
    if found.answers or found.without_answer:
        console.print(
            f"{found.answers:,} raw answers are kept and were examined; of"
            f" {found.without_answer:,} verdicts the raw answer is not kept"
        )
    if found.older:
        console.print(
            f"{found.older:,} batches have digests of the older form, which do not cover endpoint,"
            " deployment, run and moment of writing"
        )
    if found.appended:
        console.print(f"{found.appended:,} batches were appended meanwhile: verify again for them")
    if found.whole:
        console.print("[bold green]WHOLE[/]: the ledger is as it was written")
    else:
        console.print(f"[bold red]NOT WHOLE[/]: {len(found.flaws):,} findings")


def _record(found: "Verification", *, show_phones: bool) -> dict[str, object]:
    return {
        "whole": found.whole,
        "chains": found.chains,
        "batches": found.batches,
        "rows": found.rows,
        "batches_of_older_form": found.older,
        "batches_appended_meanwhile": found.appended,
        "heads_found_again": found.anchored,
        "raw_answers_kept": found.answers,
        "verdicts_without_raw_answer": found.without_answer,
        "heads_removed_by_retention": found.removed,
        "findings": [_flaw_record(flaw, show_phones=show_phones) for flaw in found.flaws],
    }


def _flaw_record(flaw: "Flaw", *, show_phones: bool) -> dict[str, object]:
    return {
        "date": flaw.key.lead_date.isoformat(),
        "chunk": flaw.key.chunk,
        "source": flaw.key.source,
        "position": flaw.position,
        "batch_id": flaw.batch_id,
        "kind": flaw.kind,
        "what": flaw.says,
        "rows": flaw.rows,
        "phones": [phone_text(one, masked=not show_phones) for one in flaw.phones],
    }


def phone_text(phone: int, *, masked: bool) -> str:
    """A phone; masked, its last two digits and the others hidden."""
    return f"{phone:010d}"[-2:].rjust(10, "*") if masked else str(phone)
