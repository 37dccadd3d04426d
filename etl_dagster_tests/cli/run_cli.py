"""`python -m etl_dagster_tests.cli.run_cli ...` is `etl-dagster ...`, installed or not."""

from etl_dagster.cli import main

if __name__ == "__main__":
    main(prog_name="etl-dagster")
