"""Raw answers kept beside the ledger: written with their batch, and held to its hash."""

import base64
import hashlib
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_dagster.ccc.config import MOST_PHONES
from etl_dagster.ccc.full import SOURCES
from etl_dagster.leads.policy import Policy
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse import ledger
from etl_dagster.warehouse.answers import ENCODING, LONGEST, pack, read_answers, unpack
from etl_dagster.warehouse.errors import WarehouseError
from etl_dagster.warehouse.ledger import LedgerBatch
from etl_dagster.warehouse.verification import verify
from etl_dagster_tests.warehouse.conftest import CHUNK, NEXT, NOW, Tables, batch_of, origin

PHONES = [4075550100, 4075550101]
BODY = b'[{"Phone":4075550100,"IsLitigator":false},{"Phone":4075550101,"IsLitigator":false}]'
EMPTY = hashlib.sha256(b"[]").hexdigest()


def answered(body: bytes = BODY, *, kept: bool = True) -> LedgerBatch:
    return replace(
        batch_of(PHONES, Verdict.CLEAR),
        evidence_hash=hashlib.sha256(body).hexdigest(),
        answer=body if kept else b"",
    )


@pytest.fixture
def batch(tables: Tables) -> LedgerBatch:
    """A batch whose answer is kept, before one whose answer is not."""
    made = answered()
    ledger.append(tables.session, [made, answered(kept=False)], origin=origin("ccc"))
    return made


@given(st.binary(max_size=400))
def test_a_body_comes_back_as_it_was(body: bytes) -> None:
    row = pack(body)
    assert row["BYTE_COUNT"] == len(body)
    digest = hashlib.sha256(body).hexdigest()
    assert unpack(digest, str(row["ENCODING"]), str(row["BODY"])) == (body, "")


@given(st.data())
def test_a_body_that_was_changed_never_passes_for_the_one_that_was_kept(
    data: st.DataObject,
) -> None:
    body = data.draw(st.binary(min_size=1, max_size=60))
    text = str(pack(body)["BODY"])
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("AQgw+/=z "))
    changed = text[:place] + other + text[place + 1 :]
    found, fault = unpack(hashlib.sha256(body).hexdigest(), ENCODING, changed)
    # base64 may write the same bytes in several ways
    assert found == body if not fault else found != body


def test_the_longest_answer_that_is_accepted_can_be_kept() -> None:
    sources = [source(Policy.load()) for source in SOURCES.values()]
    longest = MOST_PHONES * max(source.bytes_per_phone for source in sources)
    body = bytes(longest + 100_000)
    digest = hashlib.sha256(body).hexdigest()
    assert unpack(digest, ENCODING, str(pack(body)["BODY"])) == (body, "")


def test_a_body_that_unpacks_without_end_is_refused() -> None:
    bomb = base64.b64encode(zlib.compress(bytes(LONGEST + 1))).decode()
    says = "it is cut off, or has something after its end"
    assert unpack("", ENCODING, bomb) == (b"", says)
    assert unpack("", "plain", "") == (b"", f"its encoding is not {ENCODING}")


def test_an_answer_is_kept_with_its_batch(tables: Tables, batch: LedgerBatch) -> None:
    (kept,) = read_answers(tables.session, batch.batch_id)
    assert (kept.body, kept.fault) == (BODY, "")
    assert kept.evidence_hash == batch.evidence_hash
    assert (kept.endpoint, kept.answered_at) == (batch.endpoint, NOW)
    found = verify(tables.session)
    assert found.whole
    assert (found.answers, found.without_answer) == (1, len(PHONES))


def test_without_its_answer_a_batch_is_not_on_record(tables: Tables) -> None:
    tables.session.execute("ALTER TABLE CCC_ANSWERS RENAME COLUMN encoding TO coding")
    try:
        with pytest.raises(WarehouseError, match="CCC_ANSWERS"):
            ledger.append(tables.session, [answered()], origin=origin("ccc"))
    finally:
        tables.session.execute("ALTER TABLE CCC_ANSWERS RENAME COLUMN coding TO encoding")
    assert tables.count("PHONE_VERDICTS") == tables.count("SCRUB_BATCHES") == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("UPDATE CCC_ANSWERS SET body = CONCAT('A', body)", "cannot be unpacked"),
        ("UPDATE CCC_ANSWERS SET body = LEFT(body, 24)", "cut off"),
        (f"UPDATE CCC_ANSWERS SET body = '{pack(b'[]')['BODY']}'", "the hash that its row names"),
        ("UPDATE CCC_ANSWERS SET encoding = 'none'", "its encoding"),
        ("UPDATE CCC_ANSWERS SET batch_id = 'another'", "no rows of its batch"),
        ("UPDATE CCC_ANSWERS SET chunk = 7", "no rows of its batch"),
        (f"UPDATE CCC_ANSWERS SET lead_date = '{NEXT.lead_date}'", "no rows of its batch"),
        (
            f"UPDATE CCC_ANSWERS SET body = '{pack(b'[]')['BODY']}', evidence_hash = '{EMPTY}'",
            "another hash",
        ),
        ("INSERT INTO CCC_ANSWERS SELECT * FROM CCC_ANSWERS", "another body"),
    ],
)
def test_a_kept_answer_that_was_changed_is_found(
    tables: Tables, batch: LedgerBatch, change: str, says: str
) -> None:
    tables.session.execute(change)
    found = verify(tables.session)
    assert {flaw.kind for flaw in found.flaws} == {"answer"}
    assert says in found.flaws[0].says
    if "batch_id =" not in change:
        assert found.flaws[0].batch_id == batch.batch_id
    assert not any(str(phone) in flaw.says for flaw in found.flaws for phone in PHONES)


def test_answers_of_other_days_are_left_out(tables: Tables, batch: LedgerBatch) -> None:
    del batch
    tables.session.execute("UPDATE CCC_ANSWERS SET encoding = 'none'")
    assert verify(tables.session, first=NEXT.lead_date).whole
    assert not verify(tables.session, last=CHUNK.lead_date).whole
