"""The command `etl-dagster init`.

Belongs here: what it says. Does not: the tables (`warehouse/tables.py`).
"""

import click

from etl_dagster.cli.options import read_settings


@click.command()
def init() -> None:
    """Make the tables and views in the configured schema, or what an update of them adds.

    Every command that writes does so, too; this one does nothing else. The schema itself has to be
    there, but in a local deployment. Exit status 1 if a table is not as this version declares it.
    """
    settings = read_settings()
    from etl_dagster.connect import connect
    from etl_dagster.warehouse.tables import TABLES, VIEWS, columns, differences

    with connect(settings).session() as session:
        wrong = [one for name in TABLES for one in differences(name, columns(session, name))]
    place = f"{settings.snowflake_database}.{settings.snowflake_schema}"
    if wrong:
        raise click.ClickException(f"in {place}: {'; '.join(wrong)}")
    click.echo(f"{place} has {len(TABLES)} tables and {len(VIEWS)} views, as this version has them")
