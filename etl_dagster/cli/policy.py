"""The commands `etl-dagster policy`.

Belongs here: their arguments and output. Does not: what a policy is or means (`leads/policy.py`,
`leads/policy_words.py`). Nothing of Dagster is imported.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from etl_dagster.cli.options import policy_in_force, read_settings

if TYPE_CHECKING:
    from etl_dagster.leads.policy import Policy

BUILT_IN: Final = "built-in"
"""In place of a file: the policy that comes with the project."""


@click.group()
def policy() -> None:
    """Show, check and compare scrub policies: what it takes to call a phone."""


@policy.command()
def show() -> None:
    """Print the policy in force: each key, what it means, and the hash that verdicts carry."""
    from etl_dagster.leads.policy import BUILT_IN as NAME
    from etl_dagster.leads.policy import Policy

    settings = read_settings()
    loaded = Policy.load(settings.policy_file)
    limited = policy_in_force(settings)
    click.echo(f"policy: {settings.policy_file or NAME}")
    if limited.ccc_ttl_days != loaded.ccc_ttl_days:
        click.echo(f"CCC_VERDICT_TTL_DAYS shortens ccc.ttl_days from {loaded.ccc_ttl_days:g}")
    if limited.dnc_max_age_days != loaded.dnc_max_age_days:
        click.echo(f"DNC_MAX_AGE_DAYS shortens dnc.max_age_days from {loaded.dnc_max_age_days}")
    _print(limited)


@policy.command()
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Check FILE; exit status 1 with everything that is wrong in it, by line."""
    _print(_load(file))


@policy.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
def diff(old: Path, new: Path) -> None:
    """Say what the policy NEW makes looser and what stricter than OLD.

    Either may be the word built-in. Settings that shorten a policy are not applied.
    """
    from etl_dagster.leads.policy_words import compare

    before, after = _load(old), _load(new)
    changes = compare(before, after)
    for change in changes:
        mark = click.style("!! LOOSER ", fg="red", bold=True) if change.looser else "   stricter "
        click.echo(f"{mark} {change.says}")
    looser = sum(change.looser for change in changes)
    if not changes:
        click.echo("both mean the same")
    elif looser:
        click.echo(f"{looser} of {len(changes)} changes make more phones callable, or for longer")
    else:
        click.echo("nothing becomes looser")
    if before.hash != after.hash:
        click.echo(f"hash {before.hash[:8]} -> {after.hash[:8]}: the next run decides all anew")


def _load(file: Path) -> "Policy":
    from etl_dagster.leads.policy import Policy

    return Policy.load(None if str(file) == BUILT_IN else file)


def _print(shown: "Policy") -> None:
    from etl_dagster.leads.policy_words import describe

    click.echo(f"hash:   {shown.hash}")
    keys = describe(shown)
    width = max(len(f"{key.name} = {key.value}") for key in keys)
    for key in keys:
        click.echo(f"  {f'{key.name} = {key.value}':{width}}  {key.means}")
