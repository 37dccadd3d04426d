"""Jobs, and the schedules and sensors that launch them, put together."""

import dagster as dg

from etl_dagster.defs.alerts import build_alert_sensor
from etl_dagster.defs.jobs import build_jobs
from etl_dagster.defs.schedules import build_schedules
from etl_dagster.defs.sensors import build_sensors
from etl_dagster.settings import Settings


def build_automation(settings: Settings) -> dg.Definitions:
    """The jobs and what launches them.

    Raises:
        SettingsError: the schedule's settings make no schedule.
    """
    jobs = build_jobs()
    return dg.Definitions(
        jobs=list(jobs.values()),
        schedules=build_schedules(settings),
        sensors=[*build_sensors(settings, jobs), build_alert_sensor(settings)],
    )
