"""The group `etl-dagster dnc`, and arguments that its commands share.

Belongs here: their types and defaults. Does not: commands.
"""

import os
import re
from collections.abc import Callable
from datetime import datetime
from functools import partial, wraps
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import click

from etl_dagster.dnc import replica
from etl_dagster.dnc.errors import DncUsageError
from etl_dagster.dnc.moments import parse_moment
from etl_dagster.dnc.records import KINDS
from etl_dagster.dnc.store import DncStore
from etl_dagster.dnc.writer import ALLOWANCES
from etl_dagster.leads.policy import Policy

BUILT_IN_POLICY: Final = "built-in"
"""In place of a file: the policy that comes with the project."""
Command = TypeVar("Command", bound=Callable[..., Any])


@click.group()
def dnc() -> None:
    """The Do-Not-Call store: load lists, record opt-outs, ask about phones."""


def moment(
    ctx: click.Context, param: click.Parameter, value: str | None, *, end_of_day: bool = False
) -> datetime | None:
    """Read a date, which of a list is its first moment."""
    try:
        return None if value is None else parse_moment(value, end_of_day=end_of_day)
    except DncUsageError as error:
        raise click.BadParameter(str(error), ctx, param) from error


def _store_path() -> Path:
    from etl_dagster.settings.places import HOME  # noqa: PLC0415  most uses name the store

    return Path(os.environ.get("ETL_HOME") or HOME) / "dnc.sqlite"


def area_codes(ctx: click.Context, param: click.Parameter, value: str) -> list[int]:
    """Read area codes separated by commas, or `all`."""
    if value == "all":
        return [area for area in range(200, 1000) if area % 100 != 11]  # noqa: PLR2004 - N11 codes
    parts = [part.strip() for part in value.split(",") if part.strip()]
    if not all(re.fullmatch("[2-9][0-9][0-9]", part) for part in parts):
        raise click.BadParameter("expected area codes such as 407,321, or all", ctx, param)
    return [int(part) for part in parts]


store_option = click.option(
    "--store",
    type=click.Path(path_type=Path),
    envvar="DNC_DB_PATH",
    default=_store_path,
    help="The store [default: DNC_DB_PATH, else dnc.sqlite in ETL_HOME or .etl].",
)
list_option = click.option(
    "--list", "name", required=True, help="The list, such as national or fl."
)
as_of_option = click.option(
    "--as-of", metavar="DATE", callback=moment, help="Date of the list: its age counts from it."
)
past_option = click.option(
    "--as-of",
    metavar="DATE",
    callback=partial(moment, end_of_day=True),
    help="Answer as of then (end of that day).",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
covers_option = click.option(
    "--covers",
    default="",
    callback=area_codes,
    help="Area codes that the files speak for even without a number there (407,321 or all).",
)
max_age_option = click.option(
    "--max-age-days",
    type=click.IntRange(min=1),
    envvar="DNC_MAX_AGE_DAYS",
    help="Take lists older than this as stale: shortens the policy's days, never lengthens them.",
)
policy_option = click.option(
    "--policy",
    "policy_file",
    type=click.Path(path_type=Path),
    envvar="ETL_POLICY_FILE",
    default=BUILT_IN_POLICY,
    show_default=True,
    help="Judge by this policy file [env: ETL_POLICY_FILE].",
)
kind_option = click.option(
    "--kind", type=click.Choice(KINDS), help="What the list is, when it is new."
)
files_argument = click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
)


def policy_in_force(file: Path, max_age_days: int | None) -> Policy:
    """Read the policy that the pipeline would apply with these settings.

    Raises:
        PolicyError: the file does not say what a policy must.
    """
    policy = Policy.load(None if str(file) == BUILT_IN_POLICY else file.expanduser())
    return policy.with_limits(dnc_max_age_days=max_age_days)


def allow_options(*names: str) -> Callable[[Command], Command]:
    """Add a flag for each refusal that a command can be told to override; it is given `allow`."""

    def add(command: Command) -> Command:
        @wraps(command)
        def gathered(**options: Any) -> Any:
            flags = {name: options.pop("allow_" + name.replace("-", "_")) for name in names}
            return command(allow=[name for name, given in flags.items() if given], **options)

        for name in names:
            option = click.option(f"--allow-{name}", is_flag=True, help=f"Load {ALLOWANCES[name]}.")
            gathered = option(gathered)
        return cast("Command", gathered)

    return add


def writable(path: Path, *, make: bool = True) -> DncStore:
    """Open a store for writing; the first load makes it, unless another host keeps the lists.

    Raises:
        DncMissingError: there is none, and none is to be made: what is said of people would be in
            a store that nobody asks.
        DncUsageError: another host keeps the lists.
    """
    if os.environ.get("DNC_SNAPSHOT_URL"):
        raise DncUsageError(replica.refusal(path))
    if make and not path.exists():
        return DncStore.create(path)
    return DncStore.open(path, read_only=False)
