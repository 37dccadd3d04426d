"""The texts of policies, kept once a policy and release."""

import hashlib
from dataclasses import replace
from importlib import metadata

from etl_dagster.warehouse.policies import keep_policy, read_policies
from etl_dagster_tests.warehouse.conftest import POLICY, Tables

INSTALLED = metadata.version("etl-dagster")


def test_a_policy_is_kept_once_with_a_text_that_has_its_hash(tables: Tables) -> None:
    other = replace(POLICY, ccc_ttl_days=3)
    assert keep_policy(tables.session, POLICY, run_id="r1")
    assert not keep_policy(tables.session, POLICY, run_id="r2")
    assert keep_policy(tables.session, other, run_id="r3")
    kept = {one.policy_hash: one for one in read_policies(tables.session)}
    assert kept.keys() == {POLICY.hash, other.hash}
    assert all(one.whole for one in kept.values())
    one = kept[POLICY.hash]
    assert hashlib.sha256(one.text.encode()).hexdigest() == POLICY.hash
    assert (one.first_run_id, one.code_version) == ("r1", INSTALLED)


def test_another_release_puts_it_on_record_once_more(tables: Tables) -> None:
    keep_policy(tables.session, POLICY, run_id="r1")
    tables.session.execute("UPDATE POLICIES SET code_version = '0.0.1'")
    assert keep_policy(tables.session, POLICY, run_id="r2")
    assert [one.code_version for one in read_policies(tables.session)] == ["0.0.1", INSTALLED]


def test_a_text_that_was_changed_is_not_whole(tables: Tables) -> None:
    keep_policy(tables.session, POLICY, run_id="r")
    tables.session.execute("UPDATE POLICIES SET text = REPLACE(text, '31', '30')")
    (kept,) = read_policies(tables.session)
    assert not kept.whole
