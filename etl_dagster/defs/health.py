"""What Dagster's history tells of its daemon, seen from outside of it.

Belongs here: when who was heard of last. Does not: how long ago is too long (`cli/health.py`).
"""

from datetime import date
from typing import Final

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.instance.ref import InstanceRef

from etl_dagster.defs import history
from etl_dagster.defs.home import dagster_home
from etl_dagster.settings import Settings

SENSOR: Final = "opt_out_inbox"
"""It ticks every 15 seconds where the code location has loaded, unless somebody turned it off."""


def signs_of_life(settings: Settings) -> tuple[dict[str, float], date | None]:
    """When each daemon and the code location were heard of (0: never), and the newest whole day."""
    home = InstanceRef.from_dir(str(dagster_home(settings)))
    with dg.DagsterInstance.from_ref(home) as instance:
        beats = instance.get_daemon_heartbeats()
        required = sorted(instance.get_required_daemon_types())
        heard = {
            f"daemon {one.lower()}": getattr(beats.get(one), "timestamp", 0) for one in required
        }
        states = instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
        data = [one.instigator_data for one in states if one.instigator_name == SENSOR]
        ticks = [getattr(one, "last_tick_timestamp", None) or 0 for one in data]
        heard[f"code location, sensor {SENSOR}"] = max(ticks, default=0)
        days = history.finished_days(
            instance, chunks=settings.chunks, policy_hash=None, campaigns=None
        )
    return heard, max(days, default=None)
