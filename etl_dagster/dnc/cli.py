"""`etl-dagster dnc`: the store from the command line.

Belongs here: the group, and how it ends. Errors that the store raises on purpose are one line on
stderr and exit status 1; wrong arguments end with 2. Does not: the commands themselves.
"""

from typing import Any

import click

from etl_dagster.dnc import cli_loads, cli_questions, cli_snapshots
from etl_dagster.dnc.errors import DncError


class _Group(click.Group):
    """Turns the store's errors into one line on stderr."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except DncError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group)
def dnc() -> None:
    """The Do-Not-Call store: load lists, record opt-outs, ask about phones."""


for command in (
    cli_loads.load,
    cli_loads.changes,
    cli_loads.import_legacy,
    cli_loads.opt_out,
    cli_loads.opt_in,
    cli_loads.compact,
    cli_questions.check,
    cli_questions.explain,
    cli_questions.stats,
    cli_questions.verify,
    cli_questions.export,
    cli_snapshots.snapshot,
    cli_snapshots.fetch,
):
    dnc.add_command(command)
