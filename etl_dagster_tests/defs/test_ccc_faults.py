"""CCC down, refusing, lying: the run fails, nobody is callable by it, the next run completes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from etl_dagster_tests.defs.line import CLEAN, Line, crowd, person

SLOW_BREAKER = {"CCC_BREAKER_RESET_SECONDS": "60"}


def down(line: Line) -> None:
    line.environment["CCC_API_URL"] = "http://127.0.0.1:9"  # nobody listens there


def wrong_key(line: Line, answer: str) -> None:
    line.ccc.options = replace(line.ccc.options, key="another", wrong_key=answer)


FAULTS: dict[str, tuple[Callable[[Line], Any], str]] = {  # what breaks it, what is then said
    "connection refused": (down, "CCC did not answer for all phones"),
    "500": (lambda line: line.fault("status", status=500), "CCC did not answer for all phones"),
    "wrong canary": (lambda line: line.fault("wrong_canary"), "test numbers"),
    "401": (lambda line: wrong_key(line, "401"), "CCC refuses the key"),
    "login page": (lambda line: wrong_key(line, "login"), "it does not know the key"),
    "answer without its key": (
        lambda line: line.fault("missing_key"),
        "CCC did not answer for all phones",
    ),
}


def test_without_ccc_nobody_is_callable_and_the_next_run_completes(one_chunk: Line) -> None:
    line = one_chunk
    line.people(crowd(8))
    options, url = line.ccc.options, line.environment["CCC_API_URL"]
    for fault, (break_it, expected) in FAULTS.items():
        break_it(line)
        result = line.run()
        assert result.steps == {"leads": "success", "ccc_enriched": "failure"}, fault
        assert expected in result.error, fault
        assert line.count("LEADS") == 8
        for table in ("DNC_FILTERED", "CALLABLE_LEADS", "CALLABLE_NOW"):
            assert line.count(table) == 0, fault
        assert line.count("PHONE_VERDICTS", "verdict <> 'UNKNOWN'") == 0, fault
        answered = "COALESCE(phone_1_ccc, 'UNKNOWN') <> 'UNKNOWN'"
        assert line.count("CCC_ENRICHED", answered) == 0, fault
        line.environment["CCC_API_URL"] = url
        line.ccc.options = options
        line.ccc.reset()

    again = line.run()
    assert again.success, again.error
    assert line.callable_phones()
    assert line.count("DNC_FILTERED", "lead_verdict = 'UNKNOWN'") == 1  # not covered
    assert not line.bought_twice()


def test_behind_an_open_breaker_ccc_is_left_alone(make_line: Callable[..., Line]) -> None:
    line = make_line(ETL_CHUNKS="1", CCC_BREAKER_FAILURES="2", **SLOW_BREAKER)
    line.people(crowd(8))
    line.fault("status", status=503)
    assert not line.run().success  # two failures in a row open it
    line.ccc.reset()
    result = line.run()
    assert not result.success
    assert line.ccc.stats()["requests"] == 0
    reasons = line.rows("SELECT DISTINCT phone_1_reason FROM CCC_ENRICHED ORDER BY 1")
    assert [row["PHONE_1_REASON"] for row in reasons] == ["breaker_open", None]
    assert line.count("CALLABLE_LEADS") == 0


def test_ccc_failing_half_way_keeps_what_was_answered_and_asks_only_for_the_rest(
    make_line: Callable[..., Line],
) -> None:
    line = make_line(
        CCC_MIN_WORKERS="1", CCC_MAX_WORKERS="1", CCC_BREAKER_FAILURES="2", **SLOW_BREAKER
    )
    people = [person(number, CLEAN[number]) for number in range(120)]
    line.people(people)
    line.fault("status", status=500, batches=tuple(range(4, 1_000)))  # canary and two batches pass
    result = line.run()
    assert result.steps == {"leads": "success", "ccc_enriched": "failure"}
    assert line.count("CALLABLE_LEADS") == line.count("DNC_FILTERED") == 0
    answered = line.rows("SELECT phone FROM PHONE_VERDICTS WHERE verdict = 'CLEAR'")
    kept = {row["PHONE"] for row in answered}
    assert kept == line.bought()
    assert len(kept) == 20

    line.environment["CCC_BREAKER_RESET_SECONDS"] = "0.1"
    line.ccc.reset()
    again = line.run()
    assert again.success, again.error
    assert line.bought() == set(CLEAN[:120]) - kept
    assert line.callable_phones() == set(CLEAN[:120])


def test_one_lost_batch_leaves_its_phones_unknown_and_the_rest_callable(
    one_chunk: Line,
) -> None:
    line = one_chunk
    line.people([person(number, CLEAN[number]) for number in range(30)])
    line.fault("status", status=500, batches=(2, 3), times=2)  # two tries of a batch of ten
    line.environment |= {"CCC_MIN_WORKERS": "1", "CCC_MAX_WORKERS": "1"}
    result = line.run()
    unknown = line.rows("SELECT phone_1_reason FROM DNC_FILTERED WHERE lead_verdict = 'UNKNOWN'")
    assert result.success, result.error
    assert unknown == [{"PHONE_1_REASON": "ccc:http_500"}] * 10
    assert len(line.callable_phones()) == 20

    line.ccc.reset()
    assert line.run().success
    assert line.callable_phones() == set(CLEAN[:30])
    assert len(line.bought()) == 10


def test_an_answer_that_has_run_out_is_asked_for_again(one_chunk: Line) -> None:
    line = one_chunk
    line.people([person(1, CLEAN[1])])
    assert line.run().success
    with line.session() as session:
        session.execute("UPDATE PHONE_VERDICTS SET valid_until = '2020-01-01'")
        session.execute("UPDATE CALLABLE_LEADS SET callable_until = '2020-01-01'")
    assert line.count("CALLABLE_NOW") == 0
    line.ccc.reset()
    assert line.run().success
    assert line.bought() == {CLEAN[1]}
    assert line.count("CALLABLE_NOW") == 1
