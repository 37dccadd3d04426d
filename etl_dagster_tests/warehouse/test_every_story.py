"""Every story that a ledger can tell of a phone, at once, against the policy in plain words.

Hundreds of phones, each with a story of its own and each in every place of a lead, beside leads of
other days, chunks and campaigns: a statement with one wrong word is wrong for one of them. Random
ledgers are in `test_proof_property.py`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.policy import Policy
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse import publication, retraction, scrubbing
from etl_dagster_tests.warehouse.conftest import CHUNK, NEXT, POLICY, Tables

NOW = datetime.now(UTC).replace(tzinfo=None)
"""The publication; the views ask the clock."""
DECIDED = NOW - timedelta(hours=1)
TWO_DAYS = replace(POLICY, ccc_ttl_days=2)
OTHER = replace(TWO_DAYS, dnc_max_age_days=30)
Shown = dict[str, tuple[Any, ...]]
C, L, U = "CLEAR", "LISTED", "UNKNOWN"
SOURCES = ("ccc", "dnc")
REQUIRED = [SOURCES, ("ccc",), ("dnc",)]


@dataclass(frozen=True)
class Said:
    """One row: hours before now that it was written, hours from now until when it is valid."""

    verdict: str
    age: float
    valid: float | None
    policy: Policy = TWO_DAYS
    versions: str = "v"

    @property
    def at(self) -> datetime:
        return NOW - timedelta(hours=self.age)

    @property
    def until(self) -> datetime | None:
        return None if self.valid is None else NOW + timedelta(hours=self.valid)


CLEAR = Said(C, 2, 24)
Story = tuple[Said, ...]
OF_BOTH: list[Story] = [
    (),
    (CLEAR,),
    (Said(C, 1, 24),),  # at the moment of the decision
    (Said(C, 2, 0),),  # run out since the decision
    (Said(C, 2, None),),
    (Said(C, 47, 72),),  # of CCC: ends in an hour
    (Said(C, 48, 72),),  # of CCC: ends now
    (Said(C, 36, 72),),  # of CCC: ends in twelve hours, before which it is asked for again
    (Said(L, 2, 24),),
    (Said(L, 2, None),),
    (Said(U, 2, 24),),
    (Said(U, 2, None),),
    (Said(L, 3, 24), CLEAR),
    (CLEAR, Said(L, 3, 24)),
    (Said(C, 3, 72), Said(L, 2, 24)),
    (Said(U, 3, 72), CLEAR),
    (Said(C, 3, 72), Said(U, 2, None)),
    # of one moment
    (CLEAR, Said(L, 2, 24)),
    (CLEAR, Said(U, 2, 24)),
    (Said(U, 2, None), Said(L, 2, 72)),
    (CLEAR, Said(C, 2, None)),
    (CLEAR, Said(C, 2, 12)),
    # since the decision
    (CLEAR, Said(L, 0.5, 24)),
    (CLEAR, Said(U, 0.5, None)),
    (CLEAR, Said(C, 0.5, 12)),
    (CLEAR, Said(C, 0.5, 0)),
    (Said(C, 0.5, 24),),
    (Said(C, 0.5, 24), Said(L, 0.25, 24)),
    (Said(L, 2, 24), Said(C, 0.5, 24)),
]
OF_DNC: list[Story] = [
    (Said(C, 2, 24, OTHER),),
    (Said(L, 2, 24, OTHER),),
    (Said(C, 3, 24, OTHER), CLEAR),
    (CLEAR, Said(C, 0.5, 24, OTHER)),
    (Said(C, 2, 24, versions="w"),),
    (Said(L, 2, None, versions="w"),),
]
STORIES = [{"ccc": ccc, "dnc": dnc} for ccc, dnc in product(OF_BOTH, [*OF_BOTH, *OF_DNC])]
FIRST = 4075550000
PHONES = range(FIRST, FIRST + len(STORIES))
STRANGER, FRIENDS = 4085550100, (4085550101, 4085550102, 4085550103)
"""Of leads of another chunk, never asked about, and of another day, clear for long."""


def newest(story: Story, moment: datetime | None = None) -> Said | None:
    """The row that counts: of several of one moment, the strictest."""
    strictest = [L, U, C]
    known = [said for said in story if moment is None or said.at <= moment]
    return min(
        known,
        key=lambda said: (
            said.age,
            strictest.index(said.verdict),
            -1_000 if said.valid is None else said.valid,
        ),
        default=None,
    )


def words(phone: int, moment: datetime | None = None) -> dict[str, tuple[str, datetime | None]]:
    """What each source says of a phone under the policy of two days."""
    found = {}
    for source, story in STORIES[phone - FIRST].items():
        if said := newest(story, moment):
            verdict, until = said.verdict, said.until
            if source == "ccc" and until:
                until = min(until, said.at + timedelta(days=2))
            if source == "dnc" and verdict == C and said.policy is OTHER:
                verdict = U
            found[source] = (verdict, until)
    return found


def clears(phone: int, required: Sequence[str], moment: datetime | None = None) -> bool:
    said = words(phone, moment)
    return all(verdict != L for verdict, _ in said.values()) and all(
        source in said and said[source][0] == C and said[source][1] for source in required
    )


def end(phone: int) -> datetime:
    """When the first CLEAR on a phone runs out."""
    return min(until for verdict, until in words(phone).values() if verdict == C and until)


def place(chunk: Chunk, name: str, campaign: str = "walk_in") -> dict[str, Any]:
    return {
        "LEAD_DATE": chunk.lead_date,
        "CHUNK": chunk.number,
        "LEAD_ID": name,
        "CAMPAIGN": campaign,
    }


def lead(at: dict[str, Any], phones: Sequence[int | None]) -> dict[str, Any]:
    numbered = {f"PHONE_{slot}": phone for slot, phone in enumerate(phones, 1)}
    numbered |= {f"EMAIL_{slot}": f"{slot}@example.org" for slot in (1, 2, 3)}
    whose = f"{at['LEAD_ID']} of {at['LEAD_DATE']} {at['CHUNK']}"
    return {**at, **numbered, "FIRST_NAME": whose, "EXTRACTED_AT": NOW, "RUN_ID": "r"}


def judged(at: dict[str, Any], verdicts: Sequence[str | None]) -> dict[str, Any]:
    numbered = {f"PHONE_{slot}_VERDICT": one for slot, one in enumerate(verdicts, 1)}
    kind = "CALLABLE" if "CALLABLE" in verdicts else "BLOCKED"
    rest = {"LEAD_VERDICT": kind, "LEAD_REASON": "", "POLICY_HASH": "p", "RUN_ID": "r"}
    return {**at, **numbered, **rest, "DECIDED_AT": DECIDED}


def row(phone: int, source: str, said: Said, chunk: Chunk = CHUNK) -> dict[str, Any]:
    return {
        "LEAD_DATE": chunk.lead_date,
        "CHUNK": chunk.number,
        "PHONE": phone,
        "SOURCE": source,
        "VERDICT": said.verdict,
        "REASON": said.verdict.lower(),
        "LIST_VERSIONS": said.versions,
        "CHECKED_AT": said.at,
        "VALID_UNTIL": said.until,
        "POLICY_HASH": said.policy.hash,
        "EVIDENCE_HASH": "",
        "RUN_ID": "r",
        "BATCH_ID": "b",
    }


def trios() -> Iterator[tuple[str, tuple[int | None, ...]]]:
    """Leads: of four phones three stand in one place alone, and the fourth in each, among its like.

    Each story of a source is told of all four, beside other stories of the other source.
    """
    kinds = [(number + number // (len(OF_BOTH) + len(OF_DNC))) % 4 for number in range(len(PHONES))]
    among = [phone for phone, kind in zip(PHONES, kinds, strict=True) if kind == 3]
    for at, phone in enumerate(among):
        yield f"lead {phone}", tuple(among[(at + step) % len(among)] for step in range(3))
    for phone, kind in zip(PHONES, kinds, strict=True):
        if kind < 3:
            yield f"lead {phone}", tuple(phone if slot == kind else None for slot in range(3))


@cache
def written() -> dict[str, pa.Table]:
    """The ledger and the leads, and leads of the same people elsewhere; the same for every test."""
    rows = [
        row(phone, source, said, (CHUNK, NEXT)[number % 2])
        for phone, stories in zip(PHONES, STORIES, strict=True)
        for source, story in stories.items()
        for number, said in enumerate(story)
    ]
    rows += [row(friend, source, Said(C, 2, 72)) for friend in FRIENDS for source in ("ccc", "dnc")]
    leads = [lead(place(CHUNK, name), phones) for name, phones in trios()]
    leads += [lead(at, phones) for at, phones in elsewhere()]
    return {
        "PHONE_VERDICTS": pa.Table.from_pylist(rows),
        "LEADS": pa.Table.from_pylist(leads),
    }


@pytest.fixture
def told(tables: Tables) -> Tables:
    for name, rows in written().items():
        tables.session.load(name, rows)
    return tables


def elsewhere() -> Iterator[tuple[dict[str, Any], tuple[int, int, int]]]:
    shared = FIRST + STORIES.index({"ccc": (CLEAR,), "dnc": (CLEAR,)})
    for number, (name, _) in enumerate(trios()):
        yield place(NEXT, name), FRIENDS if number % 2 else (shared, shared, shared)
        yield place(Chunk(CHUNK.lead_date, 1), name), (STRANGER, STRANGER, STRANGER)


def judge(tables: Tables, verdict_of: Callable[[int, int], str]) -> None:
    """Decide on every lead of the chunk; elsewhere all are CALLABLE."""
    tables.session.execute("DELETE FROM DNC_FILTERED")
    rows = [
        judged(
            place(CHUNK, name),
            [phone and verdict_of(slot, phone) for slot, phone in enumerate(phones)],
        )
        for name, phones in trios()
    ]
    rows += [judged(at, ["CALLABLE"] * 3) for at, _ in elsewhere()]
    tables.session.load("DNC_FILTERED", pa.Table.from_pylist(rows))


@pytest.mark.parametrize("required", REQUIRED)
def test_every_phone_that_was_called_callable_without_proof_is_counted(
    told: Tables, required: tuple[str, ...]
) -> None:
    policy = replace(TWO_DAYS, required_sources=required)
    told.session.execute(
        f"UPDATE PHONE_VERDICTS SET policy_hash = '{policy.hash}'"
        f" WHERE policy_hash = '{TWO_DAYS.hash}'"
    )
    for here in range(3):
        judge(told, lambda slot, _: "CALLABLE" if slot == here else "UNKNOWN")  # noqa: B023
        wrong = {
            phones[here]
            for _, phones in trios()
            if phones[here]
            and not clears(phones[here], required)
            and not clears(phones[here], required, DECIDED)
        }
        assert publication.count_unproven(told.session, CHUNK, policy) == len(wrong) > 100


def publishable(verdict_of: Callable[[int, int], str], required: Sequence[str]) -> Shown:
    """Lead to what of it is published, and until when it is callable."""
    found = {}
    for name, phones in trios():
        good = [
            phone
            if phone
            and verdict_of(slot, phone) == "CALLABLE"
            and clears(phone, required)
            and end(phone) > NOW
            else None
            for slot, phone in enumerate(phones)
        ]
        if any(good):
            found[name] = (*good, min(end(phone) for phone in good if phone))
    return found


@pytest.mark.parametrize("required", REQUIRED)
def test_only_what_is_decided_and_proven_is_published_and_shown(
    told: Tables, required: tuple[str, ...]
) -> None:
    policy = replace(TWO_DAYS, required_sources=required)
    told.session.execute(
        f"UPDATE PHONE_VERDICTS SET policy_hash = '{policy.hash}'"
        f" WHERE policy_hash = '{TWO_DAYS.hash}'"
    )

    def verdict_of(slot: int, phone: int) -> str:
        """CALLABLE wherever there was proof, but for some that something else blocks."""
        proof = clears(phone, required) or clears(phone, required, DECIDED)
        return "CALLABLE" if proof and (phone + slot) % 3 else ("UNKNOWN", "BLOCKED")[phone % 2]

    judge(told, verdict_of)
    expected = publishable(verdict_of, required)
    asked: list[int] = []

    def ask_again(phones: NDArray[np.int64]) -> NDArray[np.int64]:
        asked.extend(phones.tolist())
        return phones[:0]

    count = publication.publish(
        told.session,
        CHUNK,
        policy,
        ask_again=ask_again,
        moment=NOW.replace(tzinfo=UTC),
        run_id="r",
    )
    assert sorted(asked) == [phone for phone in PHONES if clears(phone, required)]
    found = shown(told, "CALLABLE_LEADS")
    assert found == expected
    assert count == len(expected) > 100
    left = {phone for *phones, _ in expected.values() for phone in phones if phone}
    first_end = min(until for *_, until in expected.values())
    for moment in (NOW, first_end):
        phones = retraction.published_phones(told.session, CHUNK, moment=moment.replace(tzinfo=UTC))
        assert set(phones.tolist()) == {
            phone
            for *phones, until in expected.values()
            if until > moment
            for phone in phones
            if phone
        }
    assert shown(told, "CALLABLE_NOW") == view(expected, {})
    people = told.session.rows(
        "SELECT lead_id, first_name, email_1, email_2, email_3 FROM CALLABLE_NOW"
    )
    addresses = tuple(f"{slot}@example.org" for slot in (1, 2, 3))
    for name, *rest in people:
        assert tuple(rest) == (f"{name} of {CHUNK.lead_date} 0", *addresses)
    since = dict(zip(sorted(left), SINCE * len(left), strict=False))
    chunks = (NEXT, CHUNK, Chunk(NEXT.lead_date, 7))  # a word counts, whichever says it
    rows = [
        row(phone, source, said, chunks[number % 3])
        for number, (phone, (source, said)) in enumerate(since.items())
    ]
    told.session.load("PHONE_VERDICTS", pa.Table.from_pylist(rows))
    assert shown(told, "CALLABLE_NOW") == view(expected, since)


SINCE = [
    ("dnc", Said(L, 0, 24)),
    ("ccc", Said(L, 0, 24)),
    ("dnc", Said(U, 0, None)),
    ("ccc", Said(U, 0, None)),
    ("ccc", Said(C, 0, 1)),
    ("dnc", Said(C, 0, None)),
    ("dnc", Said(C, 0, 48)),
    ("dnc", Said(C, 0, -1)),
    ("other", Said(L, 0, None)),
    ("ccc", Said(C, 60, 1)),  # older than what was known
]
"""What is written of published phones afterwards."""


def shown(tables: Tables, table: str) -> Shown:
    columns = "lead_id, phone_1, phone_2, phone_3, callable_until"
    rows = tables.session.rows(f"SELECT {columns} FROM {table}")
    assert len({name for name, *_ in rows}) == len(rows)
    return {name: (*phones, until.replace(tzinfo=None)) for name, *phones, until in rows}


def view(published: Shown, since: dict[int, tuple[str, Said]]) -> Shown:
    """What may be dialled now of what is published."""
    found = {}
    for name, (*phones, until) in published.items():
        ends = [phone and clear_until(phone, since.get(phone)) for phone in phones]
        good = [phone if until else None for phone, until in zip(phones, ends, strict=True)]
        if any(good):
            found[name] = (*good, min([until, *filter(None, ends)]))
    return found


def clear_until(phone: int, more: tuple[str, Said] | None) -> datetime | None:
    """When the first of the newest words on a phone runs out, if all of them are CLEAR now."""
    stories = dict(STORIES[phone - FIRST])
    if more:
        stories[more[0]] = (*stories.get(more[0], ()), more[1])
    said = [word for word in map(newest, stories.values()) if word]
    if not all(word.verdict == C and word.until and word.until > NOW for word in said):
        return None
    return min(word.until for word in said if word.until)


def test_a_publication_replaces_its_own_and_older_ones_and_yields_to_newer(told: Tables) -> None:
    def first(slot: int, phone: int) -> str:
        return "BLOCKED" if (phone + slot) % 3 == 0 or not clears(phone, SOURCES) else "CALLABLE"

    def second(slot: int, phone: int) -> str:
        return "UNKNOWN" if phone % 4 == 0 else first(slot, phone)

    for verdict_of, seconds in ((first, 0), (second, 1)):
        judge(told, verdict_of)
        if seconds:
            told.session.load("CALLABLE_LEADS", pa.Table.from_pylist(list(others())))
        publication.publish(
            told.session,
            CHUNK,
            TWO_DAYS,
            ask_again=lambda phones: phones[:0],
            moment=(NOW + timedelta(seconds=seconds)).replace(tzinfo=UTC),
            run_id=f"run {seconds}",
        )
    before, after = publishable(first, SOURCES), publishable(second, SOURCES)
    newer = {one["LEAD_ID"] for one in others() if kind_of(one) == (NEXT.lead_date, 0, "walk_in")}
    names = {name for name, _ in trios()}
    stay = [
        one
        for one in others()
        if one["LEAD_DATE"] >= CHUNK.lead_date or one["CHUNK"] or one["CAMPAIGN"] != "walk_in"
    ]
    assert names > newer
    columns = ("LEAD_ID", "CAMPAIGN", "LEAD_DATE", "CHUNK", "PHONE_1", "PUBLISHED_AT", "RUN_ID")
    wanted = [tuple(one[column] for column in columns) for one in stay]
    for name, phones in after.items():
        if name not in newer:
            same = before.get(name, ())[:3] == phones[:3]
            since = NOW + timedelta(seconds=0 if same else 1)
            wanted.append((name, "walk_in", CHUNK.lead_date, 0, phones[0], since, "run 1"))
    found = told.session.rows(f"SELECT {', '.join(columns)} FROM CALLABLE_LEADS")
    assert sorted(found, key=str) == sorted(
        ((*one[:5], one[5].replace(tzinfo=found[0][5].tzinfo), one[6]) for one in wanted), key=str
    )


def kind_of(one: dict[str, Any]) -> tuple[Any, ...]:
    return one["LEAD_DATE"], one["CHUNK"], one["CAMPAIGN"]


def others() -> Iterator[dict[str, Any]]:
    """What other partitions have published of some leads, two hosts at once included."""
    for number, (name, phones) in enumerate(trios()):
        for bit, (days, chunk, campaign) in enumerate(
            ((-1, 0, "walk_in"), (1, 0, "walk_in"), (1, 1, "walk_in"), (1, 0, "mailing"))
        ):
            if number % 16 >> bit & 1:
                at = place(Chunk(CHUNK.lead_date + timedelta(days=days), chunk), name, campaign)
                numbered = {f"PHONE_{slot}": phone for slot, phone in enumerate(phones, 1)}
                rest = {"CALLABLE_UNTIL": NOW, "PUBLISHED_AT": NOW - timedelta(hours=1)}
                yield {**at, **numbered, **rest, "POLICY_HASH": "p", "RUN_ID": "other"}


@pytest.mark.parametrize("force", [False, True])
def test_what_is_known_of_every_phone(told: Tables, *, force: bool) -> None:
    now = NOW.replace(tzinfo=UTC)
    assert scrubbing.gather_evidence(told.session, CHUNK) == len(PHONES)
    asked = scrubbing.phones_to_ask(told.session, TWO_DAYS, "ccc", moment=now, force=force)
    beyond = NOW + timedelta(hours=12)
    ccc = {phone: words(phone).get("ccc", (U, None)) for phone in PHONES}
    assert asked.tolist() == [
        phone
        for phone, (verdict, until) in ccc.items()
        if force or verdict == U or not until or until <= beyond
    ]
    found = scrubbing.read_evidence(told.session, list_versions="v", policy=TWO_DAYS, moment=now)
    assert found.phones.tolist() == list(PHONES)
    assert found.apis["ccc"].verdicts.tolist() == [Verdict[verdict] for verdict, _ in ccc.values()]
    assert found.apis["ccc"].valid_until.astype("datetime64[us]").tolist() == [
        until for _, until in ccc.values()
    ]
    dnc = [newest(story["dnc"]) for story in STORIES]
    assert found.dnc_verdicts.tolist() == [Verdict[said.verdict if said else U] for said in dnc]
    assert found.dnc_on_record.tolist() == [
        bool(said)
        and said.versions == "v"
        and said.policy is TWO_DAYS
        and (said.verdict != C or (said.until is not None and said.until > NOW))
        for said in dnc
    ]
    assert scrubbing.count_unanswered(told.session, "ccc") == sum(v == U for v, _ in ccc.values())


CAUSES = ("NONE", "LISTED", "UNKNOWN", "EXPIRED", "MISSING")
STATES = [
    (ccc, dnc, "BLOCKED" if "LISTED" in (ccc, dnc) else U if {ccc, dnc} != {"NONE"} else "CALLABLE")
    for ccc, dnc in product(CAUSES, CAUSES)
]


def test_every_lead_has_the_class_and_the_reason_of_its_phones(tables: Tables) -> None:
    listed = ["ccc:listed", "ccc:unknown", "ccc:expired", "ccc:not_checked"]
    ccc_words = dict(zip(CAUSES[1:], listed, strict=True))
    phones: dict[int, tuple[str, str]] = {}
    rows, decisions = [], []
    for phone, (ccc, dnc, verdict) in zip(PHONES, STATES, strict=False):
        if ccc != "MISSING":
            said = {"LISTED": L, "UNKNOWN": U}.get(ccc, C)
            rows.append(row(phone, "ccc", Said(said, 2, 24)))
        dnc_word = {"NONE": "", "EXPIRED": "dnc:expired"}.get(dnc, f"dnc:why {dnc}")
        parts = [ccc_words.get(ccc, ""), dnc_word]
        phones[phone] = (verdict, " ".join(part for part in parts if part))
        decisions.append({
            "PHONE": phone, "DNC_VERDICT": f"d{phone}", "DNC_REASON": f"why {dnc}",
            "LISTS": f"l{phone}", "VERDICT": verdict, "CCC_CAUSE": ccc, "DNC_CAUSE": dnc,
            "CCC_FULL_CAUSE": "NONE",
        })  # fmt: skip
    phones[STRANGER] = (U, "not_checked")
    tables.session.load("PHONE_VERDICTS", pa.Table.from_pylist(rows))
    few = [FIRST, FIRST + 1, FIRST + 2, FIRST + 5, FIRST + 12, STRANGER, None]
    sets = [*product(few, few, few), *((phone, None, None) for phone in phones)]
    leads = []
    for number, trio in enumerate(sets):
        raw = {f"PHONE_{number % 4}_RAW": "n/a"} if number % 4 else {}
        empty = dict.fromkeys(f"PHONE_{slot}_RAW" for slot in (1, 2, 3))
        leads.append({**lead(place(CHUNK, f"{number:03d}"), trio), **empty, **raw})
        leads.append(lead(place(NEXT, f"{number:03d}"), (STRANGER,)))
    tables.session.load("LEADS", pa.Table.from_pylist(leads))
    scrubbing.gather_evidence(tables.session, CHUNK)
    scrubbing.write_dnc_filtered(
        tables.session,
        CHUNK,
        pa.Table.from_pylist(decisions),
        moment=NOW.replace(tzinfo=UTC),
        policy_hash="p",
        run_id="r",
    )
    scrubbing.write_ccc_enriched(tables.session, CHUNK, "ccc", run_id="r")
    found = tables.rows("SELECT * FROM DNC_FILTERED ORDER BY lead_id")
    asked = tables.rows("SELECT * FROM CCC_ENRICHED ORDER BY lead_id")
    assert len(found) == len(asked) == len(sets)
    known = {each["PHONE"]: each for each in rows}
    for number, (one, ccc, trio) in enumerate(zip(found, asked, sets, strict=True)):
        for slot, phone in enumerate(trio, 1):
            verdict, reason = phones[phone] if phone else (None, None)
            assert (one[f"PHONE_{slot}_VERDICT"], one[f"PHONE_{slot}_REASON"]) == (verdict, reason)
            lists = f"{phone}" if phone and phone != STRANGER else None
            assert one[f"PHONE_{slot}_DNC"] == (lists and f"d{lists}")
            assert one[f"PHONE_{slot}_LISTS"] == (lists and f"l{lists}")
            said = known.get(phone or 0, {})
            assert ccc[f"PHONE_{slot}_CCC"] == (said.get("VERDICT", U) if phone else None)
            word = said.get("REASON", "not_checked") if phone else None
            assert ccc[f"PHONE_{slot}_REASON"] == word
            assert ccc[f"PHONE_{slot}_CHECKED_AT"] == said.get("CHECKED_AT")
        told = [phones[phone] for phone in trio if phone]
        kind = next((k for k in ("CALLABLE", U, "BLOCKED") if k in dict(told)), "INVALID")
        why = "invalid_phone" if number % 4 else "no_phone"
        if told:
            why = "" if kind == "CALLABLE" else next(why for k, why in told if k == kind)
        assert (one["LEAD_VERDICT"], one["LEAD_REASON"]) == (kind, why)
    assert np.unique([one["LEAD_VERDICT"] for one in found]).size == 4
