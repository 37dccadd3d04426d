"""Telling people that a run failed: what is said, and how it reaches them.

Knows nothing of runs: which are worth an alert, and the facts, come from `defs`.
"""

from etl_dagster.alerts.alert import Alert
from etl_dagster.alerts.channels import AlertError, Channel, ntfy, webhook
from etl_dagster.alerts.delivery import deliver
from etl_dagster.alerts.repeats import Earlier, is_repeat

__all__ = ["Alert", "AlertError", "Channel", "Earlier", "deliver", "is_repeat", "ntfy", "webhook"]
