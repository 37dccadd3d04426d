"""Whatever happens to leads, phones, lists, answers and the policy: who is shown, beside a model.

The real stages write real tables and a real store; the model beside them is a page of sets. After
each step CALLABLE_NOW shows exactly whom the model would call, each phone shown has its evidence in
the ledger, and the ledger has lost nothing.
"""

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from etl_dagster.defs.publish import publish_chunk
from etl_dagster.dnc import DncStore
from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.policy import Policy
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.progress import ProgressLogger
from etl_dagster.scrub.chunk import scrub_chunk
from etl_dagster.scrub.published import retract_listed
from etl_dagster.warehouse import scrubbing
from etl_dagster.warehouse.publication import NotProvenError
from etl_dagster.warehouse.tables import TABLES
from etl_dagster_tests.warehouse.conftest import CHUNK, NEXT, Tables, origin

EXAMPLES = int(os.environ.get("ETL_MODEL_EXAMPLES", "3"))
"""Histories of the random test; a hundred take some minutes."""
PHONES = [4075550100 + number for number in range(4)]
DAYS: dict[Chunk, dict[str, list[int]]] = {
    CHUNK: {"one": PHONES[:2], "two": PHONES[2:3]},
    NEXT: {"one": PHONES[:2], "three": [PHONES[1], PHONES[3]]},
}
USUAL = Policy(required_sources=("ccc", "dnc"), ccc_ttl_days=7, dnc_max_age_days=31)
POLICIES = {
    "usual": USUAL,
    "fresh lists": replace(USUAL, dnc_max_age_days=1),
    "florida's list": replace(USUAL, dnc_lists=("state_fl",)),
    "no litigator scrub": replace(USUAL, required_sources=("dnc",)),
}
PHONE, DAY = st.sampled_from(PHONES), st.sampled_from(list(DAYS))


@dataclass(frozen=True)
class Word:
    """The newest of a source on a phone."""

    verdict: Verdict
    policy: Policy
    valid: bool = True

    @property
    def clears(self) -> bool:
        return self.verdict is Verdict.CLEAR and self.valid


@dataclass
class Lead:
    """A published one."""

    day: Chunk
    phones: set[int]
    expired: bool = False


@dataclass
class Model:
    """What must be, without a table."""

    policy: Policy = USUAL
    opted_out: set[int] = field(default_factory=set)
    national: set[int] = field(default_factory=set)
    is_fresh: bool = True
    has_florida: bool = False
    answers: dict[int, Verdict] = field(
        default_factory=lambda: dict.fromkeys(PHONES, Verdict.CLEAR)
    )
    words: dict[tuple[int, str], Word] = field(default_factory=dict)
    decided: dict[Chunk, dict[int, dict[str, Word]]] = field(default_factory=dict)
    """Whom each day's scrub found callable, and by which words."""
    published: dict[str, Lead] = field(default_factory=dict)

    def lists_say(self, phone: int) -> Verdict:
        if phone in self.opted_out | self.national:
            return Verdict.LISTED
        is_missing = bool(self.policy.dnc_lists) and not self.has_florida
        is_stale = self.policy.dnc_max_age_days == 1 and not self.is_fresh
        return Verdict.UNKNOWN if is_missing or is_stale else Verdict.CLEAR

    def to_ask(self, day: Chunk, *, force: bool) -> set[int]:
        def answered(phone: int) -> bool:
            word = self.words.get((phone, "ccc"))
            return word is not None and word.verdict is not Verdict.UNKNOWN and word.valid

        return {p for p in phones_of(day) if force or not answered(p)}

    def scrub(self, day: Chunk, *, force: bool) -> None:
        for phone in self.to_ask(day, force=force):
            self.words[phone, "ccc"] = Word(self.answers[phone], self.policy)
        for phone in phones_of(day):
            self.words[phone, "dnc"] = Word(self.lists_say(phone), self.policy)
        self.decided[day] = {
            phone: self.words_on(phone) for phone in phones_of(day) if self.may_call(phone)
        }

    def words_on(self, phone: int) -> dict[str, Word]:
        return {source: word for (number, source), word in self.words.items() if number == phone}

    def may_call(self, phone: int, *, now: bool = True) -> bool:
        """By the newest words; also if they have run out, unless it is about now."""
        return self.clear(self.words_on(phone), now=now)

    def clear(self, words: dict[str, Word], *, now: bool) -> bool:
        if any(word.verdict is Verdict.LISTED for word in words.values()):
            return False
        dnc = words.get("dnc")
        required = [words.get(source) for source in self.policy.required_sources]
        return (
            all(word and word.verdict is Verdict.CLEAR for word in required)
            and (dnc is None or dnc.policy == self.policy)
            and (not now or all(w.valid for w in words.values() if w.verdict is Verdict.CLEAR))
        )

    def publish(self, day: Chunk) -> bool:
        """False if it is refused."""
        for phone, then in self.decided[day].items():
            if not (self.may_call(phone, now=False) or self.clear(then, now=False)):
                return False
        self.ask_again({phone for phone in phones_of(day) if self.may_call(phone, now=False)})
        newer = {name for name, lead in self.published.items() if lead.day > day}
        for name, lead in list(self.published.items()):
            if lead.day == day or (lead.day < day and name in DAYS[day]):
                del self.published[name]
        for name, phones in DAYS[day].items():
            good = {p for p in phones if p in self.decided[day] and self.may_call(p)}
            if good and name not in newer:
                self.published[name] = Lead(day, good)
        return True

    def retract(self, day: Chunk) -> None:
        mine = [lead for lead in self.published.values() if lead.day == day]
        asked = set().union(*(lead.phones for lead in mine if not lead.expired))
        blocked = self.ask_again(asked)
        for lead in mine:
            lead.phones -= blocked
        self.published = {name: lead for name, lead in self.published.items() if lead.phones}

    def ask_again(self, phones: set[int]) -> set[int]:
        """What the lists block of these, which they have said then."""
        blocked = {phone for phone in phones if self.lists_say(phone) is not Verdict.CLEAR}
        for phone in blocked:
            self.words[phone, "dnc"] = Word(self.lists_say(phone), self.policy)
        return blocked

    def callable_now(self) -> dict[str, set[int]]:
        shown = {
            name: {
                phone
                for phone in lead.phones
                if all(w.clears for (number, _), w in self.words.items() if number == phone)
            }
            for name, lead in self.published.items()
            if not lead.expired
        }
        return {name: phones for name, phones in shown.items() if phones}


def phones_of(day: Chunk) -> set[int]:
    return {phone for phones in DAYS[day].values() for phone in phones}


class Lifecycle(RuleBasedStateMachine):
    """The real thing and the model, side by side."""

    def __init__(self, tables: Tables, folder: Path) -> None:
        super().__init__()
        self.tables, self.session, self.folder = tables, tables.session, folder
        self.model = Model()
        self.ledger: Counter[tuple[object, ...]] = Counter()
        for name in TABLES:
            self.session.execute(f"DELETE FROM {name}")
        for day, leads in DAYS.items():
            for name, phones in leads.items():
                tables.lead(name, *phones, chunk=day)
        self.store = folder / "dnc.sqlite"
        for left in folder.glob("dnc.*"):
            left.unlink()
        DncStore.create(self.store).close()
        self.load_list(set(), fresh=True)

    def ask_lists(self) -> DncStore:
        return DncStore.open_under(self.store, self.model.policy)

    def load(self, name: str, phones: set[int], age: timedelta) -> None:
        file = self.folder / f"{name}.txt"
        others = {phone + 5_000 for phone in PHONES}
        file.write_text("".join(f"{phone}\n" for phone in sorted(phones | others)))
        with DncStore.open(self.store, read_only=False) as store:
            store.add_list(
                name,
                [file],
                as_of=datetime.now(UTC) - age,
                covers=[407],
                allow=["older", "same", "shrink"],
            )

    @initialize()
    def first_day(self) -> None:
        """Something to lose."""
        self.scrub(CHUNK, force=False)
        self.publish(CHUNK)

    @rule(day=DAY, force=st.booleans())
    def scrub(self, day: Chunk, *, force: bool) -> None:
        policy, now = self.model.policy, datetime.now(UTC)
        scrubbing.gather_evidence(self.session, day)
        asked = scrubbing.phones_to_ask(
            self.session, policy, "ccc", moment=now, force=force
        ).tolist()
        assert set(asked) == self.model.to_ask(day, force=force)
        for verdict in Verdict:
            phones = [phone for phone in asked if self.model.answers[phone] is verdict]
            end = None if verdict is Verdict.UNKNOWN else now + policy.ttl("ccc")
            if phones:
                self.tables.said(
                    "ccc", verdict, *phones, at=now, until=end, chunk=day, policy=policy
                )
        with self.ask_lists() as store:
            where = origin("dnc", day, policy)
            scrub_chunk(self.session, store, where, policy, ProgressLogger("dnc_filtered"))
        self.model.scrub(day, force=force)

    @rule(day=DAY)
    def publish(self, day: Chunk) -> None:
        """Of a day that was scrubbed at some time."""
        if day not in self.model.decided:
            return
        policy = self.model.policy
        with self.ask_lists() as store:
            try:
                publish_chunk(self.session, store, origin("dnc", day, policy), policy)
            except NotProvenError:
                assert not self.model.publish(day)
                return
        assert self.model.publish(day)

    @precondition(lambda self: self.model.published)
    @rule()
    def retract(self) -> None:
        with self.ask_lists() as store:
            for day in DAYS:
                retract_listed(self.session, store, origin("dnc", day, self.model.policy))
        for day in DAYS:
            self.model.retract(day)

    @rule(phone=PHONE)
    def opt_out(self, phone: int) -> None:
        with DncStore.open(self.store, read_only=False) as store:
            store.opt_out([phone])
        self.model.opted_out.add(phone)

    @precondition(lambda self: self.model.opted_out)
    @rule(data=st.data())
    def opt_in(self, data: st.DataObject) -> None:
        self.lift(data.draw(st.sampled_from(sorted(self.model.opted_out))))

    def lift(self, phone: int) -> None:
        with DncStore.open(self.store, read_only=False) as store:
            store.remove_opt_out([phone], reason="asked to be called", by="tests")
        self.model.opted_out.remove(phone)

    @rule(phones=st.sets(PHONE, max_size=2), fresh=st.booleans())
    def load_list(self, phones: set[int], *, fresh: bool) -> None:
        self.load("national", phones, timedelta(hours=1) if fresh else timedelta(days=2))
        self.model.national, self.model.is_fresh = set(phones), fresh

    @rule()
    def load_florida(self) -> None:
        self.load("state_fl", set(), timedelta(minutes=1))
        self.model.has_florida = True

    @rule(phone=PHONE, verdict=st.sampled_from(Verdict))
    def ccc_will_say(self, phone: int, verdict: Verdict) -> None:
        """When it is asked the next time."""
        self.model.answers[phone] = verdict

    @rule(phone=PHONE)
    def ccc_says_briefly(self, phone: int) -> None:
        """Some other run has asked, and its answer was not valid for long."""
        now = datetime.now(UTC)
        self.tables.said("ccc", Verdict.CLEAR, phone, at=now, until=now, policy=self.model.policy)
        self.model.words[phone, "ccc"] = Word(Verdict.CLEAR, self.model.policy, valid=False)

    @rule(phone=PHONE, source=st.sampled_from(["ccc", "dnc"]))
    def expire(self, phone: int, source: str) -> None:
        """The validity of what a source says has come to its end, and what was built on it."""
        past = "DATEADD(second, -1, SYSDATE())"
        self.session.execute(
            f"UPDATE PHONE_VERDICTS SET valid_until = {past}"
            f" WHERE phone = {phone} AND source = '{source}' AND verdict = 'CLEAR'"
        )
        self.session.execute(
            f"UPDATE CALLABLE_LEADS SET callable_until = {past}"
            f" WHERE phone_1 = {phone} OR phone_2 = {phone}"
        )
        word = self.model.words.get((phone, source))
        if word and word.verdict is Verdict.CLEAR:
            self.model.words[phone, source] = replace(word, valid=False)
        for lead in self.model.published.values():
            lead.expired |= phone in lead.phones

    @rule(name=st.sampled_from(list(POLICIES)))
    def change_policy(self, name: str) -> None:
        self.model.policy = POLICIES[name]

    @invariant()
    def shown_are_those_whom_the_model_would_call(self) -> None:
        rows = self.tables.rows("SELECT lead_id, phone_1, phone_2 FROM CALLABLE_NOW")
        shown = {
            row["LEAD_ID"]: {int(row[name]) for name in ("PHONE_1", "PHONE_2") if row[name]}
            for row in rows
        }
        assert len(shown) == len(rows)
        assert shown == self.model.callable_now()
        entries = self.tables.rows("SELECT * FROM PHONE_VERDICTS ORDER BY checked_at")
        newest = {(int(row["PHONE"]), row["SOURCE"]): row for row in entries}
        now = datetime.now(UTC).replace(tzinfo=None)
        for phone in set().union(*shown.values()):
            for source in ("ccc", "dnc"):
                assert newest[phone, source]["VERDICT"] == "CLEAR"
                assert newest[phone, source]["VALID_UNTIL"] > now
        names = ("PHONE", "SOURCE", "VERDICT", "REASON", "CHECKED_AT", "POLICY_HASH", "BATCH_ID")
        ledger = Counter(tuple(row[name] for name in names) for row in entries)
        assert self.ledger <= ledger
        self.ledger = ledger


@pytest.mark.slow
def test_a_history_with_all_that_can_happen(tables: Tables, tmp_path: Path) -> None:
    one = Lifecycle(tables, tmp_path)
    p0, p1, p2, p3 = PHONES

    def shows(**leads: set[int]) -> None:
        one.shown_are_those_whom_the_model_would_call()
        assert one.model.callable_now() == leads

    one.scrub(CHUNK, force=False)
    shows()
    one.publish(CHUNK)
    shows(one={p0, p1}, two={p2})
    one.opt_out(p2)
    one.retract()
    shows(one={p0, p1})
    one.lift(p2)
    one.publish(CHUNK)  # the list's word is in the ledger
    shows(one={p0, p1})
    one.scrub(CHUNK, force=False)
    one.publish(CHUNK)
    one.ccc_says_briefly(p1)
    shows(one={p0}, two={p2})
    one.ccc_will_say(p3, Verdict.LISTED)
    one.scrub(NEXT, force=False)
    one.publish(NEXT)
    shows(one={p0, p1}, two={p2}, three={p1})
    one.publish(CHUNK)  # the newer day keeps what both have
    shows(one={p0, p1}, two={p2}, three={p1})
    one.expire(p0, "ccc")
    shows(two={p2}, three={p1})
    one.change_policy("florida's list")
    one.publish(NEXT)  # refused: under this policy the lists have said nothing
    shows(two={p2}, three={p1})
    one.load_list({p2}, fresh=True)
    one.scrub(NEXT, force=True)
    one.publish(NEXT)
    one.retract()
    shows()


@pytest.mark.slow
def test_no_history_shows_anybody_else(tables: Tables, tmp_path: Path) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        lambda: Lifecycle(tables, tmp_path),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
