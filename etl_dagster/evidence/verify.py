"""Prove what this folder says of a phone: python3 verify.py [--heads FILE [--public-key FILE]].

It needs Python 3.9 or later and nothing else (for signed heads the package `cryptography`), reads
this folder and nothing else, and believes nothing that it does not compute itself:

- each verdict is a line of its batch, and that batch's digest covers the line;
- each batch names the digest of the one before it, up to the end of its chain;
- what a scrub of CCC answered has the SHA-256 in the verdict, and says the same;
- each policy has the SHA-256 in the verdicts, and gives the decisions shown;
- with heads that were kept elsewhere: the chain is the one that was there when they were taken.

It does not prove that nothing was left out: a verdict in a batch whose rows are not here, or in a
chain that is not shown, would go unnoticed; a note says how many batches have no rows here.

Exit status: 0 everything is proven, 1 something is wrong, 2 something is missing, so that a part is
not proven. What belongs here: the proofs, alone, since it is read by people who have nothing else
of the program. What does not: how the folder was made.
"""

from __future__ import annotations  # for Python 3.9

import argparse
import base64
import hashlib
import json
import re
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_DIGEST = "0" * 64
FORMAT = "etl_dagster evidence 1"
LINE = {
    1: "phone source verdict reason list_versions checked_at valid_until policy_hash evidence_hash",
    2: "lead_date chunk phone source verdict reason list_versions checked_at valid_until"
    " policy_hash evidence_hash run_id batch_id",
}
MOMENTS = ("checked_at", "valid_until")
MOMENT = "%Y-%m-%dT%H:%M:%S.%f%z"
EPOCH = "1970-01-01T00:00:00.000000Z"
MISSING = {1: "", 2: "\\N"}
SUMS = "SHA256SUMS"
LISTED_ON = re.compile(r"(National|State) \([A-Z]{2,3}\) [0-9]{4}-[0-9]{2}-[0-9]{2}")


class WrongError(Exception):
    """Something is not as it was written."""


class Proof:
    """What was found out so far."""

    def __init__(self, folder: Path) -> None:
        """Know the folder."""
        self.folder = folder
        self.wrong: list[str] = []
        self.missing: list[str] = []
        self.proven: list[str] = []
        self.notes: list[str] = []

    @property
    def status(self) -> int:
        """The exit status."""
        return 1 if self.wrong else 2 if self.missing else 0

    def read(self, name: str, what: str) -> bytes | None:
        """A file of the folder; None, and noted, if somebody took it out."""
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise WrongError(f"{name} is not in this folder")
        try:
            return (self.folder / name).read_bytes()
        except OSError:
            self.missing.append(f"{name} is not there: {what} is not proven")
            return None


def prove(folder: Path, *, heads: Path | None = None, public_key: Path | None = None) -> Proof:
    """Prove everything.

    Args:
        folder: the evidence.
        heads: heads that were kept elsewhere, instead of those in the folder.
        public_key: who must have signed them.
    """
    proof = Proof(folder)
    content: dict[str, Any] = {}
    steps: list[Callable[[], None]] = [
        lambda: _sums(proof),
        lambda: _read_content(proof, content),
        lambda: _links(proof, content),
        lambda: _verdicts(proof, content),
        lambda: _left_out(proof, content),
        lambda: _answers(proof, content),
        lambda: _policies(proof, content),
        lambda: _decisions(proof, content),
        lambda: _heads(proof, content, heads, public_key),
    ]
    for number, step in enumerate(steps):
        if number > 1 and not content:
            break
        try:
            step()
        except WrongError as error:
            proof.wrong.append(str(error))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            kind = f"{type(error).__name__}: {error}"
            proof.wrong.append(f"evidence.json is not of the form it was written in ({kind})")
    return proof


def _sums(proof: Proof) -> None:
    """Every file has its SHA-256 in SHA256SUMS, which shows damage on the way."""
    text = proof.read(SUMS, "that no file was damaged")
    for line in (text or b"").decode().splitlines():
        digest, name = line.split("  ", 1)
        body = proof.read(name, "what it holds")
        if body is not None and sha256(body) != digest:
            raise WrongError(f"{name} was changed: it does not have its SHA-256 in {SUMS}")


def _read_content(proof: Proof, content: dict[str, Any]) -> None:
    text = proof.read("evidence.json", "anything")
    if text is None:
        return
    content.update(json.loads(text, object_pairs_hook=_once))
    if content["format"] != FORMAT:
        raise WrongError(f"evidence.json is not of the format {FORMAT}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _links(proof: Proof, content: dict[str, Any]) -> None:
    """Every batch's digest, and that each names the one before it, to the end of the chain."""
    for chain in content["chains"]:
        before = None
        for link in chain:
            name = chain_name(link)
            if before is None:
                right = link["position"] > 1 or link["prev_digest"] == FIRST_DIGEST
            else:
                right = (
                    chain_name(before) == name
                    and link["position"] == before["position"] + 1
                    and link["prev_digest"] == before["digest"]
                )
            if not right:
                raise WrongError(
                    f"{name}: position {link['position']} does not follow on what is before it"
                )
            if batch_digest(link) != link["digest"]:
                raise WrongError(
                    f"{name}: the batch at position {link['position']} was changed:"
                    " its digest is not that of what is there"
                )
            before = link
        proof.proven.append(
            f"chain {name}: {len(chain)} batches from position"
            f" {chain[0]['position']} to its end at {chain[-1]['position']}"
        )


def _verdicts(proof: Proof, content: dict[str, Any]) -> None:
    """Each verdict is a line of a batch whose digest covers that line."""
    links = {link["batch_id"]: link for chain in content["chains"] for link in chain}
    proven = 0
    for identity, verdict in content["verdicts"].items():
        row = verdict["row"]
        link = links.get(row["batch_id"])
        if link is None or chain_name(link) != chain_name(row):
            raise WrongError(f"verdict {identity} is of no batch in its chain")
        if row["phone"] != content["phone"]:
            raise WrongError(f"verdict {identity} is of another phone")
        file = content["batches"][row["batch_id"]]["rows_file"]
        text = proof.read(file, f"that verdict {identity} is in its batch")
        if text is None:
            continue
        if sha256(text) != link["rows_sha256"]:
            raise WrongError(f"{file} was changed: it is not what the batch's digest covers")
        lines = text.decode().split("\n")
        if len(lines) - 1 != link["row_count"]:
            raise WrongError(f"{file} does not have the number of rows of its batch")
        if lines.count(line_of(row, version_of(link["digest"]))) != 1:
            raise WrongError(f"verdict {identity} is not what the batch's digest covers")
        proven += 1
    proof.proven.append(f"{proven} of {len(content['verdicts'])} verdicts are as they were written")


def _left_out(proof: Proof, content: dict[str, Any]) -> None:
    """Each line about the phone in the rows that are here is a verdict that is shown."""
    shown: dict[str, int] = {}
    for verdict in content["verdicts"].values():
        batch_id = verdict["row"]["batch_id"]
        shown[batch_id] = shown.get(batch_id, 0) + 1
    links = [link for chain in content["chains"] for link in chain]
    unseen = 0
    for link in links:
        file = content["batches"].get(link["batch_id"], {}).get("rows_file")
        if file is None or not (proof.folder / file).is_file():
            unseen += 1
            continue
        text = proof.read(file, "that no verdict of it was left out") or b""
        if sha256(text) != link["rows_sha256"]:
            raise WrongError(f"{file} was changed: it is not what the batch's digest covers")
        place = LINE[version_of(link["digest"])].split().index("phone")
        lines = [line.split("|") for line in text.decode().split("\n") if line]
        count = sum(line[place] == str(content["phone"]) for line in lines)
        if count != shown.get(link["batch_id"], 0):
            raise WrongError(f"{file} has {count} verdicts of the phone, and others are shown")
    proof.notes.append(
        f"{unseen} of {len(links)} batches in the chains shown have no rows here: a verdict of the"
        " phone that was left out of those, or of a chain that is not shown, would go unnoticed"
    )


def _answers(proof: Proof, content: dict[str, Any]) -> None:
    """What CCC answered has the SHA-256 in the verdict, and says what the verdict says."""
    for identity, verdict in content["verdicts"].items():
        row = verdict["row"]
        answer = content["batches"][row["batch_id"]]["answer"]
        if answer is None:
            if row["evidence_hash"]:
                why = content["batches"][row["batch_id"]].get("no_answer") or "nobody says why"
                proof.missing.append(
                    f"verdict {identity}: its raw answer is not here ({why}),"
                    " so that it says the same is not proven"
                )
            continue
        body = proof.read(answer["file"], f"what was answered for verdict {identity}")
        if body is None:
            continue
        if sha256(body) != row["evidence_hash"]:
            raise WrongError(f"{answer['file']} was changed: it does not have its SHA-256")
        entries = entries_of(body, content["phone"])
        if entries != answer["entries"]:
            raise WrongError(f"verdict {identity}: {answer['file']} says something else")
        rules = content["policies"].get(row["policy_hash"])
        if row["source"] != "ccc" and rules is None:
            proof.missing.append(
                f"verdict {identity}: without its policy, what it means is unknown"
            )
            continue
        said = [verdict_of(row["source"], entry, rules) for entry in entries]
        if row["verdict"] != "UNKNOWN" and said != [row["verdict"]]:
            raise WrongError(f"verdict {identity} is not what {answer['file']} says")
        proof.proven.append(f"verdict {identity} is what was answered")


def verdict_of(source: str, entry: dict[str, Any], policy: dict[str, Any] | None) -> str | None:
    """What an entry of an answer says; of the full scrub (ccc_full), by the rules of a policy."""
    if source == "ccc":
        listed = entry.get("IsLitigator")
        return ("LISTED" if listed else "CLEAR") if isinstance(listed, bool) else None
    rules = json.loads((policy or {})["text"])["ccc_full"]
    fields = ("ResultCode", "LineType", "Reason", "DoNotCallToday")
    if not all(isinstance(entry.get(field), str) for field in fields):
        return None  # refused as a whole
    code, line = entry["ResultCode"], entry["LineType"].lower()
    kind = {"wireless": "wireless", "voip": "voip", "allother": "landline"}.get(line, "unknown")
    named = all(
        part in ("", "W") or (code in ("H", "O", "X") and LISTED_ON.fullmatch(part))
        for part in entry["Reason"].split(";")
    )
    blocked = rules["block_line_types"]
    if code not in rules["clear_codes"] or not named or (blocked and kind in [*blocked, "unknown"]):
        return "LISTED"
    return "CLEAR" if entry["DoNotCallToday"] in ("", "0", "N") else "UNKNOWN"


def _policies(proof: Proof, content: dict[str, Any]) -> None:
    used = {verdict["row"]["policy_hash"] for verdict in content["verdicts"].values()}
    for digest, policy in content["policies"].items():
        if sha256(policy["text"].encode()) != digest:
            raise WrongError(f"the policy {digest[:8]} was changed: it does not have its SHA-256")
        if digest not in used:
            raise WrongError(f"the policy {digest[:8]} is that of no verdict shown")
    proof.notes.extend(
        f"the text of policy {digest[:8]} was not kept"
        for digest in sorted(used - set(content["policies"]))
    )
    proof.proven.append(f"{len(content['policies'])} policies have the SHA-256 in the verdicts")


def _decisions(proof: Proof, content: dict[str, Any]) -> None:
    """The policy makes of the verdicts what is shown, each being the newest of its source."""
    count = 0
    for day in content["days"]:
        for decision in day["decisions"]:
            if decision["decision"] is None:
                continue
            policy = content["policies"][decision["policy_hash"]]
            rules = json.loads(policy["text"])
            at = micros(decision["at"])
            rows = {}
            for source, identity in decision["words"].items():
                row = rows[source] = content["verdicts"][identity]["row"]
                if row["source"] != source or micros(row["checked_at"]) > at:
                    raise WrongError(f"verdict {identity} is no word of {source} at that time")
            for verdict in content["verdicts"].values():
                row = verdict["row"]
                newest = rows.get(row["source"])
                when = micros(row["checked_at"])
                if when <= at and (newest is None or when > micros(newest["checked_at"])):
                    raise WrongError(
                        f"the decision of {decision['at']} does not rest on the newest verdicts"
                    )
            until = decision["callable_until"]
            shown = decision["decision"], None if until is None else micros(until)
            if decide(rules, counted(rows, decision["policy_hash"]), at) != shown:
                raise WrongError(f"the policy decides otherwise at {decision['at']}")
            count += 1
    proof.proven.append(f"{count} decisions follow from policy and verdicts")


def counted(rows: dict[str, Any], policy_hash: str) -> dict[str, Any]:
    """The words that count: a CLEAR of a source that a policy judges counts under that one only."""
    return {
        source: row
        for source, row in rows.items()
        if source == "ccc" or row["verdict"] != "CLEAR" or row["policy_hash"] == policy_hash
    }


def decide(rules: dict[str, Any], rows: dict[str, Any], at: int) -> tuple[str, int | None]:
    """LISTED blocks; CALLABLE takes a valid CLEAR of every required source; else UNKNOWN."""
    if any(row["verdict"] == "LISTED" for row in rows.values()):
        return "BLOCKED", None
    ends = []
    for source in rules["required_sources"]:
        row = rows.get(source)
        if row is None or row["verdict"] != "CLEAR" or row["valid_until"] is None:
            return "UNKNOWN", None
        ends.append(micros(row["valid_until"]))
        if source == "ccc":
            seconds = round(rules["ccc_ttl_days"] * 86_400)
            ends.append(micros(row["checked_at"]) + seconds * 1_000_000)
    return ("CALLABLE", min(ends)) if min(ends) > at else ("UNKNOWN", None)


def _heads(
    proof: Proof, content: dict[str, Any], heads: Path | None, public_key: Path | None
) -> None:
    """Heads that were kept elsewhere are still in the chains."""
    own = content["heads"]
    if heads is None and own is not None:
        heads = proof.folder / own["file"]
        if own["public_key"] is not None:
            public_key = public_key or proof.folder / own["public_key"]
    if heads is None:
        proof.notes.append("no heads: that nobody wrote a whole chain anew is not proven")
        return
    try:
        text = heads.read_bytes()
    except OSError:
        proof.missing.append(f"{heads} is not there: the end of the chains is not proven")
        return
    file = json.loads(text, object_pairs_hook=_once)
    anchor = file["anchor"]
    if anchor.get("retentions") is None:  # as such files were before there were any
        anchor.pop("retentions", None)
    canonical = json.dumps(anchor, sort_keys=True, separators=(",", ":")).encode("ascii")
    if sha256(canonical) != file["sha256"]:
        raise WrongError("the heads were changed: they do not have their SHA-256")
    _signature(proof, file, canonical, public_key)
    _compare(proof, content, anchor)


def _compare(proof: Proof, content: dict[str, Any], anchor: dict[str, Any]) -> None:
    kept = {chain_name(head): head for head in anchor["heads"]}
    for chain in content["chains"]:
        name = chain_name(chain[0])
        head = kept.get(name)
        first, last = chain[0]["position"], chain[-1]["position"]
        if head is None or head["position"] < first:
            proof.notes.append(f"chain {name}: the heads are older than what is shown of it")
            continue
        if head["position"] > last:
            raise WrongError(f"chain {name} ended at {head['position']} when the heads were taken")
        if chain[head["position"] - first]["digest"] != head["digest"]:
            raise WrongError(f"chain {name} is another than when the heads were taken")
        proof.proven.append(
            f"chain {name} was there as shown, up to position {head['position']},"
            f" at {anchor['taken_at']}"
        )


def _signature(
    proof: Proof, file: dict[str, Any], canonical: bytes, public_key: Path | None
) -> None:
    if public_key is None:
        proof.notes.append("the heads are taken as they are: no key was given to compare with")
        return
    if file.get("signature") is None:
        raise WrongError("the heads are not signed")
    try:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
            load_pem_public_key,
        )
    except ImportError:
        proof.missing.append("the package cryptography: the heads' signature is not proven")
        return
    key: Any = load_pem_public_key(public_key.read_bytes())
    try:
        key.verify(base64.b64decode(file["signature"]["value"]), canonical)
    except InvalidSignature:
        raise WrongError("the heads are not signed by that key, or were changed") from None
    proof.proven.append("the heads are signed by that key")


def chain_name(one: dict[str, Any]) -> str:
    """Which chain a batch, a row or a head is of."""
    return f"{one['lead_date']} {one['chunk']} {one['source']}"


def batch_digest(link: dict[str, Any]) -> str:
    """The digest of a batch, from its record and the SHA-256 of its rows."""
    previous, rows = link["prev_digest"], link["rows_sha256"]
    if version_of(link["digest"]) == 1:
        return sha256(f"{previous}{rows}".encode())
    record = ["etl_dagster ledger v2", previous, rows]
    names = "batch_id lead_date chunk source position row_count endpoint deployment"
    record += [link[name] for name in names.split()]
    record.append(micros(link["created_at"]))
    text = json.dumps(record, separators=(",", ":")).encode("ascii")
    encoded = base64.urlsafe_b64encode(hashlib.sha256(text).digest()).decode("ascii")
    return "v2:" + encoded.rstrip("=")


def version_of(digest: str) -> int:
    """Which form a digest, and the lines under it, are of."""
    return 2 if digest.startswith("v2:") else 1


def line_of(row: dict[str, Any], version: int) -> str:
    """A verdict as the line that its batch's digest covers."""
    return "|".join(_value(row, name, version) for name in LINE[version].split())


def _value(row: dict[str, Any], name: str, version: int) -> str:
    value = row[name]
    if value is None:
        return MISSING[version]
    if name in MOMENTS:
        return str(micros(value))
    text = str(value)
    if version == 1:
        return text
    return text.replace("\\", "\\\\").replace("|", "\\p").replace("\n", "\\n")


def entries_of(body: bytes, phone: int) -> list[Any]:
    """What an answer says of a phone; nothing if it cannot be read."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return []
    entries = found if isinstance(found, list) else []
    own = (entry for entry in entries if isinstance(entry, dict))
    return [entry for entry in own if str(entry.get("Phone")) == str(phone)]


def micros(moment: str) -> int:
    """Microseconds since 1970 of a moment such as 2026-11-20T06:00:00.000000Z."""
    at = datetime.strptime(moment, MOMENT)  # noqa: DTZ007
    if at.isoformat(timespec="microseconds").replace("+00:00", "Z") != moment:
        raise ValueError(f"{moment} is another text of a moment")  # such as a blank for a nought
    since = at - datetime.strptime(EPOCH, MOMENT)  # noqa: DTZ007
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def sha256(body: bytes) -> str:
    """The SHA-256 in hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """Prove the folder that this script is in; say what is proven, and what is not."""
    parser = argparse.ArgumentParser(description="Prove what this folder says of a phone.")
    parser.add_argument("--heads", type=Path, help="heads of the ledger that were kept elsewhere")
    parser.add_argument("--public-key", type=Path, help="who must have signed them (PEM)")
    options = parser.parse_args(arguments)
    proof = prove(
        Path(__file__).resolve().parent, heads=options.heads, public_key=options.public_key
    )
    for mark, lines in (  # what is worst stands last
        ("proven  ", proof.proven),
        ("note    ", proof.notes),
        ("MISSING ", proof.missing),
        ("WRONG   ", proof.wrong),
    ):
        for line in lines:
            print(mark, line)
    print(
        {
            0: "PROVEN: everything that is shown is as it was written",
            1: "NOT PROVEN: something was changed",
            2: "PROVEN IN PART: something is missing",
        }[proof.status]
    )
    return proof.status


if __name__ == "__main__":
    sys.exit(main())
