from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from etl_dagster.dnc import Lookup
from etl_dagster.leads import verdicts
from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.policy import Policy
from etl_dagster.leads.verdicts import Evidence, Verdict
from etl_dagster.scrub.lookup_rows import decision_table
from etl_dagster.warehouse import ledger, scrubbing
from etl_dagster.warehouse.errors import WarehouseError
from etl_dagster.warehouse.scrubbing import naive
from etl_dagster_tests.warehouse.conftest import (
    CHUNK,
    FRESH,
    NEXT,
    NOW,
    POLICY,
    Tables,
    batch_of,
    origin,
)

OTHER = replace(POLICY, dnc_max_age_days=30)
A, B, C, D = (4075550100 + n for n in range(4))


def asked(
    tables: Tables, *, force: bool = False, ttl_days: float = POLICY.ccc_ttl_days
) -> list[int]:
    scrubbing.gather_evidence(tables.session, CHUNK)
    policy = replace(POLICY, ccc_ttl_days=ttl_days)
    phones = scrubbing.phones_to_ask(tables.session, policy, "ccc", moment=NOW, force=force)
    assert phones.dtype == np.int64
    return [int(phone) for phone in phones]


def evidence(
    tables: Tables, versions: str = "", policy: Policy = POLICY
) -> scrubbing.ChunkEvidence:
    scrubbing.gather_evidence(tables.session, CHUNK)
    return scrubbing.read_evidence(
        tables.session,
        list_versions=versions,
        policy=policy,
        moment=NOW,
    )


def test_every_phone_of_the_chunk_is_gathered_once(tables: Tables) -> None:
    tables.lead("one", A, B, C)
    tables.lead("two", B, None, A)
    tables.lead("none")
    tables.lead("other day", D, chunk=NEXT)
    assert scrubbing.gather_evidence(tables.session, CHUNK) == 3
    assert asked(tables) == [A, B, C]


def test_only_phones_without_a_valid_answer_are_asked(tables: Tables) -> None:
    cases = [
        (Verdict.CLEAR, FRESH, False),
        (Verdict.LISTED, FRESH, False),
        (Verdict.UNKNOWN, None, True),
        (Verdict.UNKNOWN, FRESH, True),
        (Verdict.CLEAR, NOW, True),
        (Verdict.CLEAR, NOW + timedelta(hours=12), True),  # could run out before publication
        (Verdict.CLEAR, NOW + timedelta(hours=12, microseconds=1), False),
        (Verdict.CLEAR, None, True),
        (Verdict.LISTED, NOW - timedelta(days=1), True),
    ]
    phones = [A + n for n in range(len(cases))]
    for phone, (verdict, until, _) in zip(phones, cases, strict=True):
        tables.lead(f"{phone}", phone)
        tables.noted("ccc", verdict, phone, until=until, chunk=NEXT)
    tables.noted("dnc", Verdict.CLEAR, *phones)
    expected = [phone for phone, (*_, ask) in zip(phones, cases, strict=True) if ask]
    assert asked(tables) == expected
    assert asked(tables, force=True) == phones


def test_a_shorter_time_in_the_policy_reaches_answers_on_record(tables: Tables) -> None:
    tables.lead("one", A)
    tables.noted("ccc", Verdict.CLEAR, A, at=NOW - timedelta(days=2))
    assert asked(tables, ttl_days=3) == []
    assert asked(tables, ttl_days=2) == [A]


@pytest.mark.parametrize("api", ["ccc", "ccc_full"])
def test_what_another_policy_made_of_the_full_scrub_is_asked_again_and_clears_nobody(
    tables: Tables, api: str
) -> None:
    kinds = [Verdict.CLEAR, Verdict.LISTED, Verdict.UNKNOWN]
    cases = [(verdict, policy) for policy in (POLICY, OTHER) for verdict in kinds]
    for phone, (verdict, policy) in enumerate(cases, A):
        tables.lead(f"{phone}", phone)
        tables.noted(api, verdict, phone, policy=policy)
    found = evidence(tables).apis[api].verdicts.tolist()
    again = scrubbing.phones_to_ask(tables.session, POLICY, api, moment=NOW, force=False)
    if api == "ccc":  # who sues is no matter of policy
        assert found == [*kinds, *kinds]
        assert again.tolist() == [A + 2, A + 5]
    else:
        assert found == [*kinds, Verdict.UNKNOWN, Verdict.LISTED, Verdict.UNKNOWN]
        assert again.tolist() == [A + 2, A + 3, A + 4, A + 5]


def test_the_newest_row_counts_whatever_it_says(tables: Tables) -> None:
    tables.lead("one", A)
    tables.noted("ccc", Verdict.CLEAR, A)
    tables.noted("ccc", Verdict.UNKNOWN, A, at=NOW + timedelta(seconds=1), until=None)
    assert asked(tables) == [A]
    found = evidence(tables)
    assert found.apis["ccc"].verdicts.tolist() == [Verdict.UNKNOWN]
    assert np.isnat(found.apis["ccc"].valid_until).all()


def test_evidence_is_by_phone_with_what_ccc_said(tables: Tables) -> None:
    tables.lead("one", C, A, B)
    tables.noted("ccc", Verdict.CLEAR, A)
    tables.noted("ccc", Verdict.LISTED, B)
    found = evidence(tables)
    assert found.phones.tolist() == [A, B, C]
    assert found.apis["ccc"].verdicts.tolist() == [Verdict.CLEAR, Verdict.LISTED, Verdict.UNKNOWN]
    assert found.apis["ccc"].valid_until[0] == np.datetime64(FRESH.replace(tzinfo=None), "us")
    assert not found.dnc_on_record.any()


def test_a_dnc_verdict_stands_under_the_same_lists_and_policy(tables: Tables) -> None:
    said = [(Verdict.CLEAR, FRESH), (Verdict.LISTED, None), (Verdict.UNKNOWN, None)]
    said.append((Verdict.CLEAR, NOW))  # has run out
    for phone, (verdict, until) in enumerate(said, A):
        tables.lead(f"{phone}", phone)
        tables.noted("dnc", verdict, phone, until=until)
    found = evidence(tables)
    assert found.dnc_verdicts.tolist() == [verdict for verdict, _ in said]
    assert found.dnc_on_record.tolist() == [True, True, True, False]
    assert not evidence(tables, "national@2").dnc_on_record.any()
    assert not evidence(tables, policy=OTHER).dnc_on_record.any()


def test_ccc_enriched_has_every_phone_and_is_replaced(tables: Tables) -> None:
    tables.lead("one", A, B, None)
    tables.lead("two", None, B, C)
    tables.noted("ccc", Verdict.CLEAR, A)
    tables.noted("ccc", Verdict.LISTED, B, reason="litigator")
    for run in ("r1", "r2"):
        scrubbing.gather_evidence(tables.session, CHUNK)
        leads, phones = scrubbing.write_ccc_enriched(tables.session, CHUNK, "ccc", run_id=run)
        assert leads == 2
        assert phones == {"CLEAR": 1, "LISTED": 1, "UNKNOWN": 1}
    rows = tables.rows("SELECT * FROM CCC_ENRICHED ORDER BY lead_id")
    assert [[row[f"PHONE_{at}_CCC"] for at in (1, 2, 3)] for row in rows] == [
        ["CLEAR", "LISTED", None],
        [None, "LISTED", "UNKNOWN"],
    ]
    assert rows[1]["PHONE_2_REASON"] == "litigator"
    assert rows[1]["PHONE_3_REASON"] == "not_checked"
    assert {row["RUN_ID"] for row in rows} == {"r2"}


def test_a_service_replaces_its_own_rows_of_the_chunk_alone(tables: Tables) -> None:
    tables.lead("lead", A)
    places = [(CHUNK, None), (CHUNK, "ccc"), (CHUNK, "ccc_full"), (NEXT, "ccc")]
    places.append((Chunk(CHUNK.lead_date, 1), "ccc"))
    for chunk, source in places:
        place = {"LEAD_DATE": chunk.lead_date, "CHUNK": chunk.number, "LEAD_ID": "before"}
        tables.insert("CCC_ENRICHED", {**place, "CAMPAIGN": "c", "RUN_ID": "r", "SOURCE": source})
    scrubbing.gather_evidence(tables.session, CHUNK)
    for api in ("ccc", "ccc_full"):
        scrubbing.write_ccc_enriched(tables.session, CHUNK, api, run_id="r")
        gone = places[:2] if api == "ccc" else places[:3]  # what says no source is ccc's
        rows = tables.session.rows(
            "SELECT lead_date, chunk, source FROM CCC_ENRICHED WHERE lead_id = 'before'"
        )
        kept = {(Chunk(day, int(number)), source) for day, number, source in rows}
        assert kept == set(places) - set(gone)


def decisions(*rows: tuple[int, str, str, str, str, str, str], full: str = "NONE") -> pa.Table:
    names = ["PHONE", "DNC_VERDICT", "DNC_REASON", "LISTS", "VERDICT", "CCC_CAUSE", "DNC_CAUSE"]
    asked = {"CCC_FULL_CAUSE": full}  # NONE is no cause where no policy requires it
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) | asked for row in rows])


def decide(tables: Tables, table: pa.Table) -> dict[str, int]:
    scrubbing.gather_evidence(tables.session, CHUNK)
    return scrubbing.write_dnc_filtered(
        tables.session, CHUNK, table, moment=NOW, policy_hash="p", run_id="r"
    )


def test_leads_get_the_class_and_the_reason_of_their_phones(tables: Tables) -> None:
    batch = batch_of([A, B], Verdict.CLEAR)
    ledger.append(tables.session, [batch], origin=origin("ccc"))
    tables.noted("ccc", Verdict.LISTED, C, reason="litigator")
    tables.noted("ccc", Verdict.CLEAR, D, until=NOW)
    tables.lead("all", C, B, A)
    tables.lead("blocked", C, B)
    tables.lead("expired", C, D)
    tables.lead("nothing known", 4075550199)
    tables.lead("no phone")
    tables.lead("odd phone")
    tables.session.execute("UPDATE LEADS SET phone_2_raw = 'n/a' WHERE lead_id = 'odd phone'")
    counts = decide(
        tables,
        decisions(
            (A, "CLEAR", "", "", "CALLABLE", "NONE", "NONE"),
            (B, "LISTED", *["national,state_fl"] * 2, "BLOCKED", "NONE", "LISTED"),
            (C, "CLEAR", "", "", "BLOCKED", "LISTED", "NONE"),
            (D, "CLEAR", "", "", "UNKNOWN", "EXPIRED", "NONE"),
        ),
    )
    assert counts == {"CALLABLE": 1, "BLOCKED": 1, "UNKNOWN": 2, "INVALID": 2}
    rows = tables.rows("SELECT * FROM DNC_FILTERED")
    found = {row["LEAD_ID"]: (row["LEAD_VERDICT"], row["LEAD_REASON"]) for row in rows}
    assert found == {
        "all": ("CALLABLE", ""),
        "blocked": ("BLOCKED", "ccc:litigator"),
        "expired": ("UNKNOWN", "ccc:expired"),
        "nothing known": ("UNKNOWN", "not_checked"),
        "no phone": ("INVALID", "no_phone"),
        "odd phone": ("INVALID", "invalid_phone"),
    }
    (all_three,) = (row for row in rows if row["LEAD_ID"] == "all")
    assert all_three["PHONE_2_REASON"] == "dnc:national,state_fl"
    assert all_three["PHONE_2_LISTS"] == "national,state_fl"
    assert all_three["PHONE_3_VERDICT"] == "CALLABLE"


def test_what_another_policy_cleared_is_told_as_the_reason(tables: Tables) -> None:
    tables.lead("one", A)
    tables.noted("ccc_full", Verdict.CLEAR, A, policy=OTHER, reason="landline")
    decide(tables, decisions((A, "CLEAR", "", "", "UNKNOWN", "NONE", "NONE"), full="UNKNOWN"))
    (lead,) = tables.rows("SELECT * FROM DNC_FILTERED")
    assert (lead["LEAD_VERDICT"], lead["LEAD_REASON"]) == ("UNKNOWN", "ccc_full:other_policy")


def test_the_reasons_of_a_phone_are_the_causes_of_its_decision(tables: Tables) -> None:
    phones = [A, B, C, D]
    names = ("national", "state_fl")
    for name, phone in zip("abcd", phones, strict=True):
        tables.lead(name, phone)
    tables.noted("ccc", Verdict.CLEAR, A, B, at=NOW - timedelta(hours=2))
    tables.noted("ccc", Verdict.UNKNOWN, C, D, reason="timeout")
    found = Lookup(
        verdicts=np.array([1, 1, 2, 0], np.int8),
        lists=np.array([0, 0, 3, 0], np.uint64),
        list_names=names,
        reasons=np.array([0, 0, 0, 1], np.int8),
        reason_names=("", "stale"),
        valid_until=np.array([naive(FRESH), naive(NOW), naive(FRESH), None], "datetime64[us]"),
        list_versions="",
    )

    def reasons(required: tuple[str, ...], ttl: timedelta) -> list[tuple[str, str]]:
        scrubbing.gather_evidence(tables.session, CHUNK)
        evidence = scrubbing.read_evidence(
            tables.session,
            list_versions="",
            policy=replace(POLICY, ccc_ttl_days=ttl / timedelta(days=1)),
            moment=NOW,
        )
        decided = verdicts.decide(
            {
                **evidence.apis,
                "dnc": Evidence(verdicts=found.verdicts, valid_until=found.valid_until),
            },
            required=required,
            moment=NOW,
        )
        table = decision_table(evidence.phones, found, decided)
        scrubbing.write_dnc_filtered(
            tables.session, CHUNK, table, moment=NOW, policy_hash="p", run_id="r"
        )
        rows = tables.rows(
            "SELECT phone_1_verdict, phone_1_reason FROM DNC_FILTERED ORDER BY lead_id"
        )
        return [(row["PHONE_1_VERDICT"], row["PHONE_1_REASON"]) for row in rows]

    blocked = ("BLOCKED", "dnc:national,state_fl")  # what CCC does not know is no cause of that
    assert reasons(("ccc", "dnc"), timedelta(days=7)) == [
        ("CALLABLE", ""),
        ("UNKNOWN", "dnc:expired"),
        blocked,
        ("UNKNOWN", "ccc:timeout dnc:stale"),
    ]
    # under a policy that lets CCC's answers be valid for less than they say
    assert reasons(("ccc", "dnc"), timedelta(hours=1)) == [
        ("UNKNOWN", "ccc:expired"),
        ("UNKNOWN", "ccc:expired dnc:expired"),
        blocked,
        ("UNKNOWN", "ccc:timeout dnc:stale"),
    ]
    assert reasons(("dnc",), timedelta(hours=1))[0] == ("CALLABLE", "")


def test_deciding_again_replaces_the_chunk_alone(tables: Tables) -> None:
    tables.judged("other", "BLOCKED", chunk=NEXT)
    tables.lead("one", A)
    for verdict in ("UNKNOWN", "BLOCKED"):
        row = (A, "LISTED", "national", "national", verdict, "NONE", "LISTED")
        decide(tables, decisions(row))
    rows = tables.rows("SELECT lead_id, lead_verdict FROM DNC_FILTERED ORDER BY lead_id")
    assert [tuple(row.values()) for row in rows] == [("one", "BLOCKED"), ("other", "BLOCKED")]


@pytest.mark.parametrize("table", ["CCC_ENRICHED", "DNC_FILTERED"])
def test_a_write_that_fails_half_way_leaves_the_chunk_as_it_was(tables: Tables, table: str) -> None:
    def write() -> None:
        if table == "CCC_ENRICHED":
            scrubbing.write_ccc_enriched(tables.session, CHUNK, "ccc", run_id="r")
        else:
            scrubbing.write_dnc_filtered(
                tables.session, CHUNK, found, moment=NOW, policy_hash="p", run_id="r"
            )

    found = decisions((A, "LISTED", "national", "national", "BLOCKED", "NONE", "LISTED"))
    tables.lead("one", A)
    scrubbing.gather_evidence(tables.session, CHUNK)
    write()
    tables.session.execute("DROP TABLE CHUNK_EVIDENCE")  # read after the old rows are deleted
    with pytest.raises(WarehouseError):
        write()
    assert tables.count(table, "lead_id = 'one'") == 1
