"""The whole line in one test: a small world of its own, real parts, and ways to look at the tables.

A `Line` has its own schema, home, Do-Not-Call store, campaigns and CCC sandbox; the embedded
Snowflake behind it is the session's. Everybody in it is invented, phones are of exchange 555.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa

from etl_dagster.connect import open_warehouse, warehouse_config
from etl_dagster.definitions import build_defs
from etl_dagster.defs.partitions import range_tags
from etl_dagster.dnc import DncStore
from etl_dagster.leads.chunks import Chunk
from etl_dagster.sandbox.ccc_answers import litigators
from etl_dagster.sandbox.ccc_faults import TEST_NUMBERS, Fault
from etl_dagster.sandbox.ccc_service import CccSandbox
from etl_dagster.settings import Settings
from etl_dagster.warehouse.session import Session, Warehouse

TODAY = datetime.now(UTC).date()
DAY = TODAY - timedelta(days=1)
EARLIER = TODAY - timedelta(days=2)
CHUNKS = 2
AREA = 407
"""Covered by the national list of a small world; 505 is not."""
UNCOVERED_AREA = 505
PEOPLE = (
    "CREATE TABLE PEOPLE (day DATE, first_name VARCHAR, last_name VARCHAR, address VARCHAR,"
    " city VARCHAR, state VARCHAR, zip VARCHAR, phone_1 VARCHAR, phone_2 VARCHAR, phone_3 VARCHAR,"
    " email_1 VARCHAR, score NUMBER(5, 0))"
)
CONTACTS = (
    "CREATE TABLE CONTACTS (first_name VARCHAR, last_name VARCHAR, address VARCHAR, zip VARCHAR,"
    " phone VARCHAR, email VARCHAR, rank NUMBER(3, 0))"
)
CAMPAIGN = """
SELECT
    first_name AS "First Name", last_name AS "Last Name", address AS "Address", city AS "City",
    state AS "State", zip AS "Zip", phone_1 AS "Phone 1", phone_2 AS "Phone 2",
    phone_3 AS "Phone 3", email_1 AS "Email 1", score AS "Score"
FROM PEOPLE
WHERE day = $PARTITION_DATE::DATE;
"""
TABLES = ("LEADS", "CCC_ENRICHED", "DNC_FILTERED", "CALLABLE_LEADS", "PHONE_VERDICTS")
MOMENTS = frozenset(
    {"RUN_ID", "EXTRACTED_AT", "CHECKED_AT", "VALID_UNTIL", "CALLABLE_UNTIL", "PUBLISHED_AT"}
    | {"DECIDED_AT"}
    | {"EVIDENCE_HASH", "BATCH_ID"}
    | {f"PHONE_{place}_CHECKED_AT" for place in (1, 2, 3)}
)
"""Columns in which two runs of the same work may differ."""

_NUMBERS = AREA * 10_000_000 + 5_550_000 + np.arange(10_000)
CLEAN = [int(phone) for phone in _NUMBERS[~litigators(_NUMBERS)]]
"""Phones that no list has and that are no litigator's, except for what a test lists itself."""
LITIGATORS = [int(phone) for phone in _NUMBERS[litigators(_NUMBERS)]]
LISTED = CLEAN[-500:]
"""Clear at CCC, and on the national list of every small world."""
UNCOVERED = [
    phone + (UNCOVERED_AREA - AREA) * 10_000_000 for phone in range(4075550100, 4075550200)
]
UNCOVERED = [phone for phone in UNCOVERED if not litigators(np.array([phone]))[0]]


def person(number: int, *phones: int | str | None, **changes: Any) -> dict[str, Any]:
    """An invented person who has these phones; the number makes one of their own."""
    texts = [None if phone is None else str(phone) for phone in phones]
    return {
        "day": DAY,
        "first_name": f"Wilhelmina{_letters(number)}",
        "last_name": f"Quackenbush{_letters(number)}",
        "address": f"{number + 1} Zanzibar Crescent",
        "city": "Elsewhere",
        "state": "FL",
        "zip": f"{number % 100_000:05d}",
        **{
            f"phone_{place}": text
            for place, text in zip((1, 2, 3), [*texts, None, None, None], strict=False)
        },
        "email_1": f"w.quackenbush{number}@example.org",
        "score": number,
        **changes,
    }


def _letters(number: int) -> str:
    """Names with digits in them would be unusual."""
    return "".join("abcdefghij"[int(digit)] for digit in str(number))


def crowd(size: int, *, start: int = 0, **changes: Any) -> list[dict[str, Any]]:
    """People of every kind: callable, litigators, listed, not covered, without a phone..."""
    people = []
    for number in range(start, start + size):
        own = CLEAN[(2 * number) % 5_000]
        phones: dict[int, tuple[int | str | None, ...]] = {
            0: (own, CLEAN[(2 * number + 1) % 5_000]),
            1: (LITIGATORS[number % len(LITIGATORS)],),
            2: (LISTED[number % len(LISTED)],),
            3: (UNCOVERED[number % len(UNCOVERED)],),
            4: (),
            5: ("555-01", "n/a"),
            6: (LISTED[number % len(LISTED)], own),
            7: (CLEAN[5_000 + number % 7],),  # shared by many
        }
        people.append(person(number, *phones[number % 8], **changes))
    return people


def eventually(condition: Callable[[], object], *, seconds: float = 30.0) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@dataclass
class Result:
    """What became of a run."""

    run: dg.ExecuteInProcessResult

    @property
    def success(self) -> bool:
        return self.run.success

    @property
    def steps(self) -> dict[str, str]:
        """Step to how it ended, for those that ran."""
        kinds = {"STEP_SUCCESS": "success", "STEP_FAILURE": "failure"}
        return {
            str(event.step_key): kinds[event.event_type_value]
            for event in self.run.all_events
            if event.event_type_value in kinds
        }

    @property
    def error(self) -> str:
        """The messages of everything that failed, causes included."""
        texts = []
        for event in self.run.all_events:
            if event.is_step_failure:
                error = event.step_failure_data.error
                while error:
                    texts.append(error.message)
                    error = error.cause
        return "\n".join(texts)

    @property
    def landed(self) -> list[tuple[str, str]]:
        """Asset and partition of every materialization that was logged while it ran, in order."""
        found = []
        for event in self.run.all_events:
            if event.is_step_materialization:
                one = event.step_materialization_data.materialization
                entry = (one.asset_key.to_user_string(), str(one.partition))
                if entry not in found:
                    found.append(entry)
        return found


@dataclass
class Line:
    """A whole line in a schema of its own.

    Attributes:
        environment: what it is configured with; `settings` reads it.
        ccc: its CCC sandbox.
        instance: its Dagster instance.
    """

    environment: dict[str, str]
    ccc: CccSandbox
    instance: dg.DagsterInstance
    resources: dict[str, Any] = field(default_factory=dict)
    _warehouse: Warehouse | None = None
    _made: tuple[object, dg.Definitions] | None = None

    @property
    def settings(self) -> Settings:
        return Settings.from_environment(self.environment)

    def warehouse(self) -> Warehouse:
        """A warehouse on the schema, opened as the line opens it."""
        if self._warehouse is None:
            settings = self.settings
            local = (self.defs().resources or {})["local"]
            self._warehouse = open_warehouse(
                warehouse_config(settings), chunks=settings.chunks, world=local.world()
            )
        return self._warehouse

    @contextmanager
    def session(self) -> Iterator[Session]:
        with self.warehouse().session() as session:
            yield session

    def close(self) -> None:
        if self._warehouse:
            self._warehouse.close()

    def defs(self) -> dg.Definitions:
        """The definitions: made again if something has changed that they are made of.

        To resolve them takes a fifth of a run.
        """
        files = [*Path(self.environment["ETL_CAMPAIGNS_DIR"]).glob("*.sql")]
        files += filter(Path.is_file, [Path(self.environment.get("ETL_POLICY_FILE", ""))])
        texts = {file: file.read_bytes() for file in files}
        made_of = dict(self.environment), texts, dict(self.resources)
        if self._made is None or self._made[0] != made_of:
            built = build_defs(self.settings, resource_overrides=self.resources)
            self._made = made_of, built
        return self._made[1]

    # What is in the world

    def campaign(self, name: str = "walk_in", sql: str = CAMPAIGN) -> Path:
        folder = Path(self.environment["ETL_CAMPAIGNS_DIR"])
        folder.mkdir(exist_ok=True)
        path = folder / f"{name}.sql"
        path.write_text(sql, encoding="utf-8")
        return path

    def people(self, people: Sequence[Mapping[str, Any]]) -> None:
        """Replace everybody in the source table."""
        with self.session() as session:
            session.execute(PEOPLE.replace("CREATE TABLE", "CREATE OR REPLACE TABLE"))
            if people:
                session.load("PEOPLE", pa.Table.from_pylist(list(people)))

    def contacts(self, rows: Sequence[Mapping[str, Any]]) -> None:
        with self.session() as session:
            session.execute(CONTACTS.replace("CREATE TABLE", "CREATE OR REPLACE TABLE"))
            if rows:
                session.load("CONTACTS", pa.Table.from_pylist(list(rows)))

    def lists(self, *, listed: Sequence[int] = LISTED, as_of: date = TODAY) -> Path:
        """Make the Do-Not-Call store: a national list of area code 407."""
        path = Path(self.settings.dnc_store)
        file = path.with_suffix(".txt")
        file.write_text("".join(f"{phone}\n" for phone in listed), encoding="utf-8")
        with DncStore.create(path) as store:
            store.add_list(
                "national", [file], as_of=datetime(*as_of.timetuple()[:3], tzinfo=UTC),
                kind="national", covers=[AREA],
            )  # fmt: skip
        return path

    def opt_out(self, phone: int) -> None:
        with DncStore.open(self.settings.dnc_store, read_only=False) as store:
            store.opt_out([phone])

    def fault(self, kind: str, **parameters: Any) -> None:
        self.ccc.faults.add(Fault(kind=kind, **parameters))  # type: ignore[arg-type]

    # What happens

    def run(
        self,
        day: date = DAY,
        *,
        to: date | None = None,
        chunks: tuple[int, int] | None = None,
        campaigns: Sequence[str] = (),
        force: bool = False,
        job: str = "scrub_day",
        instance: dg.DagsterInstance | None = None,
        **options: Any,
    ) -> Result:
        first, last = chunks or (0, self.settings.chunks - 1)
        if "partition_key" not in options and "tags" not in options:
            options["tags"] = range_tags(Chunk(day, first), Chunk(to or day, last))
        ops: dict[str, Any] = {}
        if job == "scrub_day" and "asset_selection" not in options:
            ops = {
                "leads": {"config": {"campaigns": list(campaigns), "force": force}},
                "ccc_enriched": {"config": {"force": force}},
            }
        done = (
            self.defs()
            .resolve_job_def(job)
            .execute_in_process(
                instance=instance or self.instance,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
                | ({"ops": ops} if ops else {}),
                raise_on_error=False,
                **options,
            )
        )
        return Result(done)

    # What is there afterwards

    def rows(self, query: str) -> list[dict[str, Any]]:
        with self.session() as session:
            found: list[dict[str, Any]] = session.arrow_table(query).to_pylist()
        return found

    def count(self, table: str, where: str = "TRUE") -> int:
        with self.session() as session:
            return int(session.scalar(f"SELECT COUNT(*) FROM {table} WHERE {where}"))

    def table(self, name: str, *, where: str = "TRUE") -> list[dict[str, Any]]:
        """A table's rows in an order of their own, without what differs from run to run."""
        rows = [
            {column: value for column, value in row.items() if column not in MOMENTS}
            for row in self.rows(f"SELECT * FROM {name} WHERE {where}")
        ]
        return sorted(rows, key=lambda row: [str(value) for value in row.values()])

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        return {name: self.table(name) for name in TABLES}

    def bought_twice(self) -> set[int]:
        """Phones that CCC answered about more than once, the test numbers left out."""
        return self.ccc.repeated - TEST_NUMBERS

    def bought(self) -> set[int]:
        return self.ccc.asked - TEST_NUMBERS

    def callable_phones(self) -> set[int]:
        """Every phone in CALLABLE_LEADS."""
        rows = self.rows("SELECT phone_1, phone_2, phone_3 FROM CALLABLE_LEADS")
        return {phone for row in rows for phone in row.values() if phone is not None}
