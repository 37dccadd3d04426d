"""All that knows Dagster, and nothing that could do without.

Assets          extract.py, enrich.py with asking.py, scrub.py, publish.py, retract.py, report.py,
                dnc.py, opt_outs.py, snapshots.py, preview.py (a job, it makes none), catalog.py
Checks          checks.py (what one is), stage_checks.py (which there are), freshness.py,
                opt_out_age.py, readiness.py (may a day be handed out)
By itself       jobs.py, schedules.py, sensors.py, unanswered.py, alerts.py with failures.py
What happened   history.py, partitions.py, step_events.py, health.py (does the daemon live)
Where it runs   resources, home.py (Dagster's folder), runner.py (jobs in this process), launcher.py
                and celery_launcher.py (Dagster's run launchers, that see when a run has died)
"""
