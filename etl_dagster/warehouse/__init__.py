"""Snowflake: the only place that talks to it; every statement is a file in `sql`.

Reaching it     session.py (the pool), execution.py (statements and results), connection.py (how
                one runs, transactions), config.py, statements.py, parameters.py, results.py,
                loading.py, errors.py, lanes.py (several chunks at once), locks.py, tables.py,
                clock.py
A day's flow    extraction.py, expressions.py, scrubbing.py, publication.py, retraction.py,
                call_windows.py, export.py, export_files.py
The ledger      ledger.py (appending), canonical.py (digests), answers.py (raw answers),
                policies.py, reaches.py, examination.py, verification.py, heads.py
Reading back    phone_history.py, dnc_verdicts.py, day_ledger.py, funnel.py, statistics.py,
                opt_outs.py
What goes       retention.py (what may), removal.py (doing it), retention_record.py
"""
