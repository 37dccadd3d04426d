"""The full scrub: only a documented, undamaged, permitted answer about a phone ever clears it."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_dagster.ccc import SOURCES, CccCanaryError, CccClient, CccConfig
from etl_dagster.ccc.answer import reconcile
from etl_dagster.ccc.errors import CccMalformedError, CccStatusError
from etl_dagster.ccc.full import full_scrub
from etl_dagster.evidence.verify import verdict_of
from etl_dagster.leads.full_scrub import CLEARABLE, CODES, LINES, OVERRIDING, FullRules
from etl_dagster.leads.policy import Policy
from etl_dagster.leads.policy_text import APIS
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.sandbox.ccc_faults import Fault
from etl_dagster.sandbox.ccc_full import EXAMPLE
from etl_dagster_tests.ccc.conftest import Sandbox, phones

NATIONAL = "National (USA) 2003-06-01"
RULES = st.builds(
    FullRules,
    clear_codes=st.lists(st.sampled_from(CLEARABLE), unique=True).map(tuple),
    block_line_types=st.lists(st.sampled_from(list(LINES.values())), unique=True).map(tuple),
)
ENTRIES = st.fixed_dictionaries(
    {
        "ResultCode": st.sampled_from([*CODES, "", "c", "CC", "Q"]) | st.text(max_size=2),
        "Reason": st.lists(
            st.sampled_from(["", "W", NATIONAL, "State (FL) 2010-01-02", "Litigator", "Project"])
        ).map(";".join),
        "DoNotCallToday": st.sampled_from(["", "", "0", "N", "Y", "1"]),
        "LineType": st.sampled_from(["AllOther", "Wireless", "VoIP", "voip", "", "Pager"]),
    }
)
ASKED = phones(4)


@given(RULES, ENTRIES)
def test_the_packs_script_judges_as_the_policy_does(
    rules: FullRules, entry: dict[str, str]
) -> None:
    verdict, reason = _judge(rules, entry)
    text = Policy(
        required_sources=APIS, ccc_ttl_days=7.0, dnc_max_age_days=31, ccc_full=rules
    ).meaning
    assert verdict_of("ccc_full", entry, {"text": text}) == verdict.name
    assert reason
    if verdict is Verdict.CLEAR:
        assert entry["ResultCode"] in rules.clear_codes
        assert entry["ResultCode"] in OVERRIDING or "(" not in entry["Reason"]
        assert not {"Litigator", "Project"} & {*entry["Reason"].split(";")}


@pytest.mark.parametrize("lacking", ["ResultCode", "Reason", "DoNotCallToday", "LineType"])
@pytest.mark.parametrize("instead", [{}, None, 1])
def test_the_packs_script_finds_nothing_said_where_a_field_is_missing(
    lacking: str, instead: object
) -> None:
    entry = dict.fromkeys(("ResultCode", "Reason", "DoNotCallToday", "LineType"), "")
    del entry[lacking]
    broken = entry if instead == {} else {**entry, lacking: instead}
    text = Policy(required_sources=APIS, ccc_ttl_days=7.0, dnc_max_age_days=31).meaning
    assert verdict_of("ccc_full", broken, {"text": text}) is None


@pytest.mark.parametrize("code", [*CODES, "Q", ""])
def test_by_default_only_clean_is_clear(code: str) -> None:
    verdict, _ = FullRules().judge(code, ";;;", "", "AllOther")
    assert (verdict is Verdict.CLEAR) == (code == "C")
    assert verdict is not Verdict.UNKNOWN


@given(st.binary(max_size=300) | st.lists(ENTRIES | st.none(), max_size=5).map(json.dumps))
def test_what_is_no_answer_clears_nobody(document: bytes | str) -> None:
    body = document if isinstance(document, bytes) else document.encode()
    problem, verdicts, reasons = reconcile(body, ASKED, full_scrub(FullRules()))
    assert problem  # not one of these names the phones that were asked about
    assert (verdicts.size, reasons) == (0, [])


@given(
    st.lists(ENTRIES, min_size=4, max_size=4),
    st.permutations(range(4)),
    st.integers(0, 5_000),
    st.binary(max_size=3),
)
def test_an_answer_that_was_damaged_clears_only_whom_it_names(
    entries: list[dict[str, str]], order: list[int], place: int, garbage: bytes
) -> None:
    source = full_scrub(FullRules())
    named = [
        {**EXAMPLE, **entry, "Phone": str(phone)}
        for entry, phone in zip(entries, ASKED.tolist(), strict=True)
    ]
    intact = json.dumps([named[at] for at in order]).encode()
    judged = [_judge(FullRules(), entry) for entry in entries]
    problem, verdicts, reasons = reconcile(intact, ASKED, source)
    assert problem == ""
    assert list(zip(verdicts.tolist(), reasons, strict=True)) == judged
    here = place % len(intact)
    damaged = intact[:here] + garbage + intact[here + len(garbage) :]
    problem, verdicts, _ = reconcile(damaged, ASKED, source)
    if not problem:  # what is left is an answer, and is taken at its word
        said = {int(entry["Phone"]): entry["ResultCode"] for entry in json.loads(damaged)}
        clear = ASKED[verdicts == Verdict.CLEAR].tolist()
        assert all(said[phone] == "C" for phone in clear)


@pytest.mark.parametrize("kind", ["missing_key", "null", "string_bool", "omit", "extra",
    "duplicate", "double_key", "float_phone", "not_a_list", "truncated", "status"])  # fmt: skip
def test_no_part_of_a_faulty_answer_is_used(
    sandbox: Sandbox, settings: Callable[..., CccConfig], kind: str
) -> None:
    client = _client(settings)
    answer = client.ask(ASKED)
    assert answer.verdicts.tolist() == [Verdict.CLEAR] * 4
    assert json.loads(answer.document)[0]["Phone"] == str(ASKED[0])
    _fault(sandbox, kind)
    with pytest.raises((CccMalformedError, CccStatusError)):
        client.ask(ASKED)
    client.close()


def test_it_must_know_its_test_numbers(
    sandbox: Sandbox, settings: Callable[..., CccConfig]
) -> None:
    client = _client(settings)
    client.canary()
    _fault(sandbox, "wrong_canary")
    with pytest.raises(CccCanaryError):
        client.canary()
    client.close()


def test_its_limit_and_breaker_are_its_own(
    sandbox: Sandbox, settings: Callable[..., CccConfig]
) -> None:
    assert sandbox.service.full
    assert sandbox.service.full.options.requests_per_minute == 100
    endpoints = {settings(source=of(Policy.load())).endpoint for of in SOURCES.values()}
    assert len(endpoints) == len(SOURCES)  # by which breaker and limiter are called
    assert tuple(SOURCES) == APIS
    assert all(of(Policy.load()).name == name for name, of in SOURCES.items())


def _judge(rules: FullRules, entry: dict[str, str]) -> tuple[Verdict, str]:
    fields = ("ResultCode", "Reason", "DoNotCallToday", "LineType")
    return rules.judge(*(entry[field] for field in fields))


def _client(settings: Callable[..., CccConfig]) -> CccClient:
    return CccClient(settings(source=full_scrub(FullRules())))


def _fault(sandbox: Sandbox, kind: str) -> None:
    assert sandbox.service.full
    sandbox.service.full.faults.add(Fault(kind=kind))  # type: ignore[arg-type]
