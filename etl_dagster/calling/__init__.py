"""When a person may be called: the local day's hours in every zone where they may be, as UTC.

Belongs here: which states and time zones an area code or an address stands for, and the window of
a day. Does not: the hours themselves (`leads/hours.py`, from the policy), the warehouse, Dagster.
Nothing here is legal advice.

A phone's area code is not where its owner lives, and some area codes and ZIP prefixes lie in two
zones: a call must be within the hours in every zone that is possible. What is not known has no
window, so nobody is called by it.
"""

from etl_dagster.calling.places import Place
from etl_dagster.calling.windows import CallWindow, Rule, day_window, joint

__all__ = [
    "CallWindow",
    "Place",
    "Rule",
    "day_window",
    "joint",
]
