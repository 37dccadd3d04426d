"""The usual way to scrub a day's leads, as a competent engineer writes it from the pattern.

usage: ETL_HOME=FOLDER CCC_API_URL=URL python -m benchmarks.baseline --day DAY --dnc FILE

What `benchmarks/versus.py` holds the product against, on the same servers: leads fetched as rows
through the connector; eight threads over batches of 200 leads, each asking CCC with GETs of 50
phones over kept connections; Do-Not-Call numbers as text in one indexed SQLite table, asked for
with `WHERE ... IN` of 900 parameters; results row by row, inserted with `executemany`; a query that
publishes. Nothing sleeps, nothing is done twice, and it fails closed: a phone without an answer, or
in an area code that no list covers, is unknown.

It starts from the table LEADS, so that it is given for nothing what the product's first stage does
(campaign SQL, contacts, normalised phones). It keeps no evidence, proves nothing, resumes nothing.
"""

import argparse
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import snowflake.connector
from snowflake.connector import SnowflakeConnection

from etl_dagster.sandbox import sidecar
from etl_dagster.sandbox.ccc_start import SANDBOX_KEY
from etl_dagster.settings import Settings

SCHEMA = "PATTERN"
THREADS = 8
LEADS_A_BATCH = 200
PHONES_A_GET = 50
PARAMETERS = 900
ROWS_AN_INSERT = 1_000
FETCHED = 10_000

TABLES = {
    "PHONE_RESULTS": (
        "lead_date DATE, phone NUMBER(10, 0), litigator VARCHAR, dnc VARCHAR, verdict VARCHAR,"
        " checked_at TIMESTAMP_NTZ"
    ),
    "LEAD_RESULTS": (
        "lead_date DATE, lead_id VARCHAR, campaign VARCHAR, phone_1 NUMBER(10, 0),"
        " phone_2 NUMBER(10, 0), phone_3 NUMBER(10, 0), verdict VARCHAR"
    ),
    "CALLABLE_LEADS": (
        "lead_date DATE, lead_id VARCHAR, campaign VARCHAR, phone_1 NUMBER(10, 0),"
        " phone_2 NUMBER(10, 0), phone_3 NUMBER(10, 0), published_at TIMESTAMP_NTZ"
    ),
}

Lead = dict[str, Any]


def parts(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part


def phones_of(leads: Iterable[Lead]) -> list[int]:
    """Each phone of these leads once, in order."""
    found = (lead[f"PHONE_{n}"] for lead in leads for n in (1, 2, 3))
    return list(dict.fromkeys(phone for phone in found if phone is not None))


def connect(settings: Settings) -> SnowflakeConnection:
    server = sidecar.find("snowflake", settings.home)
    assert server is not None, "no embedded Snowflake is up"
    return snowflake.connector.connect(
        account="embedded",
        user="embedded",
        password="embedded",  # noqa: S106  the embedded server asks for none
        host=server.host,
        port=server.port,
        protocol="http",
        database=settings.snowflake_database,
        schema=settings.snowflake_schema,
    )


def read_leads(connection: SnowflakeConnection, day: date) -> list[Lead]:
    leads: list[Lead] = []
    with connection.cursor(snowflake.connector.DictCursor) as cursor:
        cursor.execute(
            "SELECT lead_id, campaign, phone_1, phone_2, phone_3 FROM LEADS WHERE lead_date = %s",
            (day,),
        )
        while part := cursor.fetchmany(FETCHED):
            leads.extend(part)
    return leads


def check_litigators(leads: Sequence[Lead], url: str) -> dict[int, bool]:
    """Phone to whether it is a litigator's; a phone whose request failed is missing."""

    def check_batch(batch: list[Lead]) -> dict[int, bool]:
        answers: dict[int, bool] = {}
        for phones in parts(phones_of(batch), PHONES_A_GET):
            asked = ",".join(map(str, phones))
            try:
                reply = client.get("/v1.5/Scrub/litigator", params={"phoneList": asked})
                reply.raise_for_status()
                answers |= {each["Phone"]: each["IsLitigator"] for each in reply.json()}
            except (httpx.HTTPError, ValueError, KeyError):
                continue
        return answers

    found: dict[int, bool] = {}
    with (
        httpx.Client(base_url=url, headers={"loginId": SANDBOX_KEY}, timeout=30) as client,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        for answers in pool.map(check_batch, parts(leads, LEADS_A_BATCH)):
            found |= answers
    return found


def check_dnc(phones: Sequence[int], path: Path) -> tuple[set[str], set[str]]:
    """The phones on the list, as text, and the area codes that the list covers."""
    listed: set[str] = set()
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        covered = {code for (code,) in connection.execute("SELECT area_code FROM covered")}
        for part in parts(map(str, phones), PARAMETERS):
            marks = ",".join("?" * len(part))
            query = f"SELECT full_phone FROM dnc_list WHERE full_phone IN ({marks})"
            listed.update(phone for (phone,) in connection.execute(query, part))
    return listed, covered


def judge(litigator: str, dnc: str) -> str:
    if "listed" in {litigator, dnc}:
        return "blocked"
    return "callable" if litigator == dnc == "clear" else "unknown"


def phone_results(
    phones: Sequence[int], litigators: dict[int, bool], listed: set[str], covered: set[str]
) -> dict[int, tuple[str, str, str]]:
    """Phone to what CCC says, what the list says, and the verdict."""
    results = {}
    said = {True: "listed", False: "clear", None: "unknown"}
    for phone in phones:
        text = str(phone)
        litigator = said[litigators.get(phone)]
        dnc = "listed" if text in listed else "clear" if text[:3] in covered else "unknown"
        results[phone] = (litigator, dnc, judge(litigator, dnc))
    return results


def lead_rows(leads: Sequence[Lead], results: dict[int, tuple[str, str, str]], day: date) -> list:
    rows = []
    for lead in leads:
        phones = [lead["PHONE_1"], lead["PHONE_2"], lead["PHONE_3"]]
        verdicts = [results[phone][2] for phone in phones if phone is not None]
        may = [p if p is not None and results[p][2] == "callable" else None for p in phones]
        if "callable" in verdicts:
            verdict = "callable"
        elif "unknown" in verdicts:
            verdict = "unknown"
        else:
            verdict = "blocked" if verdicts else "invalid"
        rows.append((day, lead["LEAD_ID"], lead["CAMPAIGN"], *may, verdict))
    return rows


def make_tables(connection: SnowflakeConnection, day: date, current: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        cursor.execute(f"USE SCHEMA {current}")  # making one makes it the current one
        for table, columns in TABLES.items():
            cursor.execute(f"CREATE TABLE IF NOT EXISTS {SCHEMA}.{table} ({columns})")
            cursor.execute(f"DELETE FROM {SCHEMA}.{table} WHERE lead_date = %s", (day,))


def insert(connection: SnowflakeConnection, table: str, rows: Sequence[tuple]) -> None:
    if not rows:
        return
    marks = ", ".join(["%s"] * len(rows[0]))
    with connection.cursor() as cursor:
        for part in parts(rows, ROWS_AN_INSERT):
            cursor.executemany(f"INSERT INTO {SCHEMA}.{table} VALUES ({marks})", part)


def publish(connection: SnowflakeConnection, day: date) -> int:
    query = f"""
        INSERT INTO {SCHEMA}.CALLABLE_LEADS
        SELECT lead_date, lead_id, campaign, phone_1, phone_2, phone_3, %s
        FROM {SCHEMA}.LEAD_RESULTS WHERE lead_date = %s AND verdict = 'callable'
    """
    with connection.cursor() as cursor:
        cursor.execute(query, (datetime.now(UTC).replace(tzinfo=None), day))
        return cursor.rowcount or 0


def scrub(settings: Settings, day: date, dnc: Path) -> dict[str, float]:
    """Scrub a day; return counts, and seconds by step."""
    took: dict[str, float] = {}

    def timed(step: str, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = work()
        took[f"{step}_seconds"] = took.get(f"{step}_seconds", 0.0) + time.perf_counter() - start
        return result

    with timed("read", lambda: connect(settings)) as connection:
        make_tables(connection, day, settings.snowflake_schema)
        leads = timed("read", lambda: read_leads(connection, day))
        phones = phones_of(leads)
        litigators = timed("ccc", lambda: check_litigators(leads, settings.ccc_api_url or ""))
        listed, covered = timed("dnc", lambda: check_dnc(phones, dnc))
        results = phone_results(phones, litigators, listed, covered)
        now = datetime.now(UTC).replace(tzinfo=None)
        found = [(day, phone, *result, now) for phone, result in results.items()]
        timed("write", lambda: insert(connection, "PHONE_RESULTS", found))
        rows = lead_rows(leads, results, day)
        timed("write", lambda: insert(connection, "LEAD_RESULTS", rows))
        published = timed("publish", lambda: publish(connection, day))
    return {"leads": len(leads), "phones": len(phones), "callable": published, **took}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--day", type=date.fromisoformat, required=True)
    parser.add_argument("--dnc", type=Path, required=True, help="SQLite file with the text table")
    options = parser.parse_args()
    print(json.dumps(scrub(Settings.from_environment(), options.day, options.dnc)))


if __name__ == "__main__":
    main()
