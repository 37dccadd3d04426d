"""What is due and what is amiss, as pure functions of dates and counts.

Belongs here: the decisions of schedules, sensors and checks. Does not: asking Dagster or the
warehouse, acting on what was decided (`defs/`).
"""
