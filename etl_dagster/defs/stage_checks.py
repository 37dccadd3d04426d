"""The checks of the four stages: what each is called, what it blocks, what to do when it fails.

Belongs here: their specs, and what the checks of one step found. Does not: judging
(`oversight/findings.py`), numbers (`warehouse/`), checks that run by themselves (`freshness.py`).
"""

from typing import Final

import dagster as dg

from etl_dagster.defs.checks import Check, check_result, evaluation
from etl_dagster.leads.chunks import Chunk
from etl_dagster.oversight.findings import Finding, Level, judge_columns
from etl_dagster.warehouse.session import Column, Session
from etl_dagster.warehouse.tables import columns, differences

COLUMNS: Final = "tables_are_as_declared"
SIZE: Final = "size_is_usual"
CCC_CANARY: Final = "ccc_knows_its_test_numbers"
LITIGATOR_RATE: Final = "litigator_rate_is_usual"
DNC_CANARY: Final = "store_finds_its_canaries"
CONSERVED: Final = "every_lead_in_one_class"
FRESH_LISTS: Final = "no_phone_waits_for_a_newer_list"
COVERAGE: Final = "area_codes_are_covered"
UNKNOWN_SHARE: Final = "few_phones_are_unknown"
DNC_RATE: Final = "dnc_rate_is_usual"
PROVEN: Final = "every_callable_phone_is_proven"

_SCHEMA: Final = Check(
    name=COLUMNS,
    blocks=True,
    says="The tables that this stage writes have the columns that the project declares.",
    advice=(
        "somebody changed a table, or another version of this project made it. Put the columns"
        " back, or point SNOWFLAKE_SCHEMA at a schema of its own; nothing was written."
    ),
)
CHECKS: Final[dict[str, tuple[Check, ...]]] = {
    "leads": (
        _SCHEMA,
        Check(
            name=SIZE,
            blocks=True,
            says="The day is neither empty without reason nor ten times as large as is usual.",
            advice=(
                "look at the campaign's SQL and its source. If the number is right, materialize"
                " the later stages of the day by hand; a campaign that may have no leads says so"
                " with the line `-- may be empty`."
            ),
        ),
    ),
    "ccc_enriched": (
        _SCHEMA,
        Check(
            name=CCC_CANARY,
            blocks=True,
            says="CCC says of its own test numbers what is known of them.",
            advice="believe none of its answers of that time; ask CCC, then run the day again.",
        ),
        Check(
            name=LITIGATOR_RATE,
            blocks=True,
            says="The share of phones that CCC lists is within the band of the last 30 days.",
            advice=(
                "too low: CCC may be answering wrongly; check some phones by hand. If it is"
                " right, materialize the later stages of the day; if it is not, its answers stay in"
                " force, in other days too, until CCC is asked again: `etl-dagster run --date DAY"
                " --force`, once it is well. Too high only warns."
            ),
        ),
    ),
    "dnc_filtered": (
        _SCHEMA,
        Check(
            name=DNC_CANARY,
            blocks=True,
            says=(
                "The store is intact, finds the numbers that it must find, and no others, and has"
                " lost nothing that verdicts of the last 30 days rest on."
            ),
            advice="run `etl-dagster dnc verify`; restore the file or load its lists anew.",
        ),
        Check(
            name=CONSERVED,
            blocks=True,
            says="Every lead of the chunk is CALLABLE, BLOCKED, UNKNOWN or INVALID, exactly once.",
            advice="materialize the chunk from `leads` on again.",
        ),
        Check(
            name=FRESH_LISTS,
            blocks=False,
            says="No phone is UNKNOWN because a list is too old.",
            advice="load a newer list, then materialize `dnc_filtered` and what follows again.",
        ),
        Check(
            name=COVERAGE,
            blocks=False,
            says="Every phone's area code is covered by a national list.",
            advice=(
                "add the area codes to the subscription (SAN) and load them, or leave their leads"
                " out of the campaign: calling there is a violation by itself."
            ),
        ),
        Check(
            name=UNKNOWN_SHARE,
            blocks=False,
            says="The share of UNKNOWN phones is below ETL_UNKNOWN_WARN and ETL_UNKNOWN_ERROR.",
            advice=(
                "none of them is dialled. The report says why they are UNKNOWN: load what is"
                " missing, or wait until CCC answers; then run the chunk again."
            ),
        ),
        Check(
            name=DNC_RATE,
            blocks=True,
            says="The share of listed phones is within the band of the last 30 days.",
            advice=(
                "too low: a list may have lost numbers; see `etl-dagster dnc stats`, and if it is"
                " right materialize `callable_leads` of the day. Too high only warns."
            ),
        ),
    ),
    "callable_leads": (
        _SCHEMA,
        Check(
            name=PROVEN,
            blocks=True,
            says=(
                "No phone is CALLABLE without a valid CLEAR from each required source in"
                " PHONE_VERDICTS, read in SQL alone."
            ),
            advice=(
                "nothing was published: materialize `ccc_enriched` and `dnc_filtered` of the chunk"
                " again."
            ),
        ),
    ),
}
"""Every check of every stage, in the order in which it is made."""


def check_specs(asset: str) -> list[dg.AssetCheckSpec]:
    """The checks of a stage, for Dagster."""
    return [check.spec(asset) for check in CHECKS[asset]]


class CheckLog:
    """What the checks of a step found: told at once, chunk by chunk, and summed up at its end.

    Of a check Dagster shows the partition that it was first told of last. So what is not right is
    told at the end, the worst last, lest a chunk that passed after it should hide it.
    """

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        """Tell the run of this step."""
        self._context = context
        self._asset = context.asset_key.to_user_string()
        self._found: dict[str, list[tuple[Finding, Chunk | None]]] = {
            check.name: [] for check in CHECKS[self._asset]
        }

    def found(self, check: str, finding: Finding, *, chunk: Chunk | None = None) -> None:
        """Note a finding; a chunk that is right is told at once, others by `tell_worst`."""
        self._found[check].append((finding, chunk))
        if chunk is not None and finding.level is Level.RIGHT:
            self._tell(check, finding, chunk)

    def stop(self, check: str, finding: Finding, *, chunk: Chunk | None = None) -> dg.Failure:
        """Tell a finding that ends the step; return what to raise."""
        named = next(one for one in CHECKS[self._asset] if one.name == check)
        return named.stop(self._context, finding, chunk=chunk)

    def tables(self, session: Session, *names: str) -> list[Column]:
        """Compare tables with what is declared.

        Returns:
            The columns of the first.

        Raises:
            dagster.Failure: a table is not as declared.
        """
        found = {name: columns(session, name) for name in names}
        finding = judge_columns([one for name in names for one in differences(name, found[name])])
        if finding.level is Level.WRONG:
            raise self.stop(COLUMNS, finding)
        self.found(COLUMNS, finding)
        return found[names[0]]

    def tell_worst(self) -> None:
        """Tell what is not right in chunks, as the last words on a check, the worst last."""
        for check, found in self._found.items():
            for finding, chunk in sorted(found, key=lambda one: one[0].level):
                if finding.level is not Level.RIGHT and chunk is not None:
                    self._tell(check, finding, chunk)

    def _tell(self, check: str, finding: Finding, chunk: Chunk) -> None:
        self._context.log_event(evaluation(self._context.asset_key, check, finding, chunk))

    def results(self) -> list[dg.AssetCheckResult]:
        """Each check's worst finding, as results of the step; a blocking one then fails it."""
        self.tell_worst()
        return [check_result(name, found) for name, found in self._found.items()]
