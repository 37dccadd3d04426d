"""The second half of the page: what each source said, on what it rests, and how to prove it.

Belongs here: verdicts, answers, lists, opt-outs, policies, chains. Does not: what was decided and
done (`page.py`).
"""

import json
from typing import Any

from etl_dagster.evidence.forms import SOURCES
from etl_dagster.evidence.html import Html, code, facts, join, mark, table, tag, when

Content = dict[str, Any]


def verdicts(content: Content) -> Html:
    """Every verdict with what it rests on."""
    links = {one["batch_id"]: one for chain in content["chains"] for one in chain}
    return join(
        [
            tag("h2", "What each source said"),
            *(
                _verdict(content, name, one, links.get(one["row"]["batch_id"]))
                for name, one in content["verdicts"].items()
            ),
        ]
    )


def _verdict(content: Content, name: str, verdict: Content, batch: Content | None) -> Html:
    row = verdict["row"]
    source = SOURCES.get(row["source"], row["source"])
    proven: list[tuple[str, object]] = [("batch", code(row["batch_id"]))]
    if batch:
        place = f"position {batch['position']} of its chain, {batch['row_count']:,} phones"
        proven = [
            ("asked", batch["endpoint"]),
            *proven,
            ("place", place),
            ("written", when(batch["created_at"])),
            ("digest", code(batch["digest"])),
        ]
    return join(
        [
            tag("h3", f"{name}: {source}, ", when(row["checked_at"]), id=name),
            facts(
                f"Verdict {name}",
                [
                    ("verdict", mark(row["verdict"])),
                    ("reason", row["reason"]),
                    ("for leads of", f"{row['lead_date']}, chunk {row['chunk']}"),
                    ("valid until", when(row["valid_until"])),
                    ("lists and versions", row["list_versions"]),
                    ("policy", code(row["policy_hash"])),
                    ("run", tag("a", code(row["run_id"]), href=verdict["run"])),
                    *proven,
                    ("SHA-256 of the raw answer", code(row["evidence_hash"])),
                ],
            ),
            _answer(content["batches"][row["batch_id"]], row),
            _lists(verdict["lists"]),
        ]
    )


def _answer(batch: Content, row: Content) -> Html:
    if not row["evidence_hash"]:
        return Html("")
    answer = batch["answer"]
    if answer is None:
        return tag("p", f"The raw answer is not here ({batch['no_answer']}); its SHA-256 is.")
    said = "\n".join(json.dumps(entry) for entry in answer["entries"])
    return join(
        [
            tag(
                "p",
                "What the raw answer says of this phone (all of it, about "
                f"other phones as well, is {answer['byte_count']:,} bytes in ",
                code(answer["file"]),
                "):",
            ),
            tag("pre", said or "nothing that can be read: the answer was refused as damaged"),
        ]
    )


def _lists(found: Content | None) -> Html:
    if found is None:
        return Html("")
    if "error" in found:
        return tag("p", f"The lists cannot be asked as of then any more: {found['error']}.")
    says = {
        True: "the same",
        False: f"something else ({', '.join(found['why'])}), which somebody has to explain",
        None: "this without the limits of its policy, whose text is not on record",
    }[found["same"]]
    return join(
        [
            tag(
                "p",
                f"Asked again today as of that moment and those versions, the store says {says}: ",
                mark(found["verdict"]),
                f" {found['reason']}",
            ),
            table(
                "The lists as of that moment",
                ["list", "has it", "area code as of", "fresh until", "version in force", "next"],
                (
                    [
                        join([one["list"], f" ({one['kind']})"]),
                        _has(one),
                        when(one["as_of"]),
                        when(one["fresh_until"]),
                        _version(one["in_force"]),
                        _version(one["next"]) if one["next"] else "none yet",
                    ]
                    for one in found["lists"]
                ),
            ),
            table(
                "The files that these say of its area code",
                ["list", "file", "SHA-256"],
                (
                    [each["list"], name, code(sha)]
                    for each in found["lists"]
                    for name, sha in each["files"]
                ),
            ),
        ]
    )


def _has(one: Content) -> Html:
    if not one["listed"]:
        return Html("no" if one["covered"] else "no, and does not cover its area code")
    since = [" since version ", one["since_version"], ", ", when(one["since"])]
    return join([mark("LISTED"), *(since if one["since"] else [])])


def _version(record: Content | None) -> Html:
    if record is None:
        return Html("none")
    what = f"version {record['number']} ({record['kind']}), "
    return join([what, "as of ", when(record["as_of"]), ", recorded ", when(record["recorded_at"])])


def requests(content: Content) -> Html:
    """Opt-outs of the phone, and what lifted them."""
    return join(
        [
            tag("h2", "Opt-outs"),
            table(
                "Requests about this phone, up to the making of this page",
                ["received", "what", "list", "how", "by", "note", "recorded"],
                (
                    [
                        when(one["received"].replace("+00:00", "Z")),
                        one["action"],
                        one["list"],
                        one["source"],
                        one["by"],
                        one["note"],
                        when(one["recorded_at"].replace("+00:00", "Z")),
                    ]
                    for one in content["requests"]
                ),
            ),
        ]
    )


def policies(content: Content) -> Html:
    """The policies that counted."""
    parts = []
    for digest, policy in content["policies"].items():
        uses = [
            [when(use["first_used_at"]), use["code_version"], code(use["first_run_id"])]
            for use in policy["uses"]
        ]
        parts += [
            tag("h3", "Policy ", code(digest)),
            tag("pre", json.dumps(json.loads(policy["text"]), indent=2)),
            table(f"First uses of policy {digest[:8]}", ["when", "release", "run"], uses),
        ]
    return join([tag("h2", "The policies that counted"), *parts])


def proof(content: Content) -> Html:
    """What proves all of it, and what nothing here proves."""
    return join(
        [
            tag("h2", "Proof"),
            tag(
                "p",
                "Verdicts are written in batches, and never changed. Each batch has a digest over "
                "all of its rows, itself and the digest of the batch before it, so that nothing in "
                "a chain can be changed without every later digest showing it. With Python 3.9 or "
                "later, and nothing of the program that made this, ",
                code("python3 verify.py"),
                " computes all of it again from the files in this folder, README.txt says how.",
            ),
            table(
                "Chains, from the first batch that is shown to their end",
                ["leads of", "chunk", "source", "positions", "digest at the end"],
                (
                    [
                        chain[0]["lead_date"],
                        chain[0]["chunk"],
                        chain[0]["source"],
                        f"{chain[0]['position']} to {chain[-1]['position']}",
                        code(chain[-1]["digest"]),
                    ]
                    for chain in content["chains"]
                ),
            ),
            tag("h3", "What this does not prove"),
            tag(
                "ul",
                tag(
                    "li",
                    "That nobody wrote a whole chain anew before this was made: that shows against "
                    "heads of the chains that were kept elsewhere"
                    + (", which are in this folder." if content["heads"] else "; none are here."),
                ),
                tag(
                    "li",
                    "That nothing was left out: a verdict in a batch whose rows are not here, or "
                    "in a chain that is not shown, would go unnoticed. The ledger has them all.",
                ),
                tag(
                    "li",
                    "That a call was made, or was not: the dialler knows, and what it was given is "
                    "what the exports name.",
                ),
                tag(
                    "li",
                    "Leads, publications, exports, lists and opt-outs are as the tables and the "
                    "Do-Not-Call store had them when this was made; only verdicts, raw answers, "
                    "policies and decisions are proven by digests. The store has digests of its "
                    "own (",
                    code("etl-dagster dnc verify"),
                    ").",
                ),
            ),
        ]
    )
