"""What Do-Not-Call verdicts rest on: how long it is kept, and the files of it that may go.

Belongs here: since when lists are kept, files that were loaded from the inboxes, which hold phones,
removing them on record. Does not: rows (`warehouse/removal.py`), compacting the store (`dnc/`).
"""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from etl_dagster.dnc import inbox
from etl_dagster.identity.who import operator
from etl_dagster.settings import Settings
from etl_dagster.warehouse.retention import LEDGER, LONGEST_USE, Plan, first_decided
from etl_dagster.warehouse.retention_record import Retention, appending
from etl_dagster.warehouse.session import Session


@dataclass(frozen=True, kw_only=True)
class OldFiles:
    """Files of an inbox that were loaded, and whose time is up.

    Attributes:
        folder: their folder, below ETL_HOME if it is there.
        files: the files.
    """

    folder: str
    files: Sequence[Path]

    @property
    def days(self) -> list[datetime]:
        """The date of each file, in order."""
        return sorted(datetime.fromtimestamp(one.stat().st_mtime, UTC) for one in self.files)


def needed_since(
    session: Session, settings: Settings, moment: datetime, *, going: Collection[date] = ()
) -> datetime:
    """Since when lists must be kept: none that the ledger's verdicts rest on is older.

    A day of the ledger whose time is up may stay, because it does not verify or because one of its
    rows was of use for longer; then it must stay possible to decide it again, too.

    Args:
        session: any.
        settings: how long evidence is kept.
        moment: now, aware.
        going: days whose ledger is about to go; no matter what they rest on.
    """
    usual = moment - timedelta(days=settings.ledger_retention_days)
    return first_decided(session, before=usual, going=going) - timedelta(days=LONGEST_USE)


def old_files(settings: Settings, before: datetime) -> list[OldFiles]:
    """Files of the inboxes that were loaded so long ago that no evidence rests on them.

    Args:
        settings: the inboxes.
        before: from `needed_since`.
    """
    found = []
    for folder in (settings.dnc_inbox_dir, settings.opt_out_inbox_dir):
        if files := inbox.done_before(folder, before):
            place = folder / inbox.DONE
            below = place.is_relative_to(settings.home)
            name = place.relative_to(settings.home) if below else place
            found.append(OldFiles(folder=str(name), files=files))
    return found


def remove_files(session: Session, old: OldFiles, planned: Plan) -> None:
    """Put on record that files go, then remove them."""
    first, last = old.days[0].replace(tzinfo=None), old.days[-1].replace(tzinfo=None)
    record = Retention(
        retention_id=uuid.uuid4().hex,
        table_name=old.folder,
        day=last.date(),
        row_count=len(old.files),
        oldest=first,
        newest=last,
        kept_days=planned.kept_days[LEDGER] + LONGEST_USE,
        removed_at=planned.moment.replace(tzinfo=None),
        removed_by=operator(),
    )
    with appending(session) as append:
        append([record])
    for file in old.files:
        inbox.remove_done(file)
