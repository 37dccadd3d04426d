"""The command line as `python -m etl_dagster`."""

from etl_dagster.cli import main

main(prog_name="etl-dagster")
