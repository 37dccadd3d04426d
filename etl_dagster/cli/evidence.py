"""The command `etl-dagster evidence`: everything on record of one phone, to be read and proven.

Belongs here: its options, exit status, what is shown. Does not: what the evidence is (`evidence/`).
Nothing of Dagster is imported, and nothing is written but the folder.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etl_dagster.cli.options import DAY, EXISTING, policy_in_force, read_settings

if TYPE_CHECKING:
    from etl_dagster.dnc import DncStore
    from etl_dagster.evidence.decisions import Rules
    from etl_dagster.evidence.gathering import Evidence
    from etl_dagster.settings import Settings


@click.command()
@click.argument("phone")
@click.option("--on", "day", type=DAY, help="Only leads of this day.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder to make.")
@click.option("--heads", type=EXISTING, help="Heads of the ledger that were kept, to be put in.")
@click.option("--public-key", type=EXISTING, help="Who signed them (PEM, Ed25519), to be put in.")
@click.option("--json", "as_json", is_flag=True, help="Say what was made as JSON.")
def evidence(  # noqa: PLR0913  one option each
    phone: str,
    day: datetime | None,
    out: Path,
    heads: Path | None,
    public_key: Path | None,
    *,
    as_json: bool,
) -> None:
    """Put all that is on record of PHONE into a folder: a page, the data, a script to prove it.

    Exit status 1 if the phone never occurred (nothing is written), or if the ledger behind it is
    not as it was written (the page says what is wrong).
    """
    if public_key and not heads:
        raise click.UsageError("--public-key is for a file of --heads")
    from etl_dagster.dnc.errors import DncUsageError
    from etl_dagster.dnc.formats import LOWEST
    from etl_dagster.dnc.phones_text import read_phones
    from etl_dagster.evidence import pack
    from etl_dagster.warehouse import heads as anchors

    number = int(read_phones([phone])[0])
    if number < LOWEST:
        raise DncUsageError("that is not a phone: expected ten digits")
    settings = read_settings()
    folder = out.absolute()
    pack.check_target(folder)
    if heads:
        anchors.read_file(heads, public_key=public_key)
    found = _gather(settings, number, day)
    files = pack.write(found, folder, heads=heads, public_key=public_key)
    days = [one["lead_date"] for one in found.content["days"]]
    if as_json:
        record = {
            "folder": str(folder),
            "days": days,
            "verdicts": len(found.content["verdicts"]),
            "whole": not found.flaws,
            "findings": found.content["findings"],
            "files": files,
        }
        click.echo(json.dumps(record, indent=2))
    else:
        click.echo(f"leads of {', '.join(days)}; {len(found.content['verdicts'])} verdicts")
        for flaw in found.flaws:
            click.echo(f"NOT WHOLE: {flaw.key.lead_date} {flaw.key.source}: {flaw.says}")
        click.echo(f"evidence: {folder / 'evidence.html'}  (README.txt says who may have what)")
        click.echo(f"proof:    python3 {folder / 'verify.py'}")
    if found.flaws:
        raise SystemExit(1)


def _gather(settings: "Settings", phone: int, day: datetime | None) -> "Evidence":
    from etl_dagster.connect import connect
    from etl_dagster.dnc import DncStore
    from etl_dagster.evidence.gathering import TABLES, Origin, gather

    def open_store(rules: "Rules | None") -> "DncStore":
        return DncStore.open(
            settings.dnc_store,
            max_age_days=rules.dnc_max_age_days if rules else None,
            must_have=rules.dnc_lists if rules else (),
        )

    policy = policy_in_force(settings)
    with connect(settings, reads=TABLES).session() as session:
        return gather(
            session,
            phone,
            only=day.date() if day else None,
            open_store=open_store,
            in_force={policy.hash: policy.meaning},
            origin=Origin(
                ledger=settings.ledger_name,
                deployment=settings.deployment.value,
                ui_url=settings.ui_url,
                made_at=datetime.now(UTC),
                keeps_answers=settings.keep_ccc_answers,
            ),
        )
