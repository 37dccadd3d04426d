"""What failed a run, read from Dagster's events.

Belongs here: an error and what caused it, as words. Does not: whom to tell them.
"""

import re
from typing import Final, NamedTuple

import dagster as dg
from dagster._core.errors import DagsterAssetCheckFailedError, DagsterExecutionInterruptedError
from dagster_shared.error import SerializableErrorInfo

HARMLESS: Final = (
    "etl_dagster.",
    *(
        f"{kind.__module__}.{kind.__qualname__}: "
        for kind in (dg.Failure, DagsterAssetCheckFailedError)
    ),
)
"""How Dagster's text of an error begins if nobody's data are in it: ours, and names of checks."""


class Cause(NamedTuple):
    """One error of a chain.

    Attributes:
        kind: its class.
        message: as Dagster keeps it, `package.module.Kind: words`.
    """

    kind: str
    message: str

    @property
    def words(self) -> str:
        """The message without the class: people need the second half."""
        return re.sub(r"\A[\w.]+: ", "", self.message).strip()


def causes(error: SerializableErrorInfo | None) -> list[Cause]:
    """An error and what caused it, the first cause last."""
    found = []
    while error:
        found.append(Cause(error.cls_name or "an error", error.message))
        error = error.cause
    return found


def said(event: dg.DagsterEvent) -> str:
    """What made a step fail, in the words of whoever raised it first."""
    found = causes(event.step_failure_data.error)
    return found[-1].words if found else "failed"


def interrupted(event: dg.DagsterEvent) -> bool:
    """Whether somebody stopped the run with Ctrl-C, which Dagster keeps to itself."""
    error = event.step_failure_data.error if event.is_step_failure else None
    return bool(error and error.cls_name == DagsterExecutionInterruptedError.__name__)


def publishable(chain: list[Cause]) -> str:
    """What may be told of an error outside of the run's own log.

    Returns:
        The words of the first cause whose words never hold anybody's data. Other errors may quote
        what they choked on: where there are only such, the class of the first. Empty if there is
        no error.
    """
    told = [cause for cause in chain if cause.message.startswith(HARMLESS)]
    if told:
        return told[-1].words
    return f"{chain[-1].kind}; see the run's log" if chain else ""
