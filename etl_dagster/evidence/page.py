"""The page for people: what `evidence.json` says, to be read and printed.

Belongs here: what is shown, in which order and words. Does not: facts, which all come from the
content; the proofs, which `verify.py` makes. Of other phones nothing is shown.
"""

from collections.abc import Iterator
from importlib import resources
from typing import Any

from etl_dagster.evidence import page_proof
from etl_dagster.evidence.forms import SOURCES
from etl_dagster.evidence.html import Html, code, facts, join, link, mark, short, table, tag, when

Content = dict[str, Any]


def written(phone: int) -> str:
    """A phone as people write it."""
    text = f"{phone:010d}"
    return f"{text[:3]}-{text[3:6]}-{text[6:]}"


def render(content: Content) -> str:
    """The whole page; no script, and nothing is loaded from elsewhere."""
    phone = written(content["phone"])
    css = resources.files(__package__).joinpath("page.css").read_text("utf-8")
    body = join(
        [
            _head(content, phone),
            *(_day(content, day) for day in content["days"]),
            page_proof.verdicts(content),
            page_proof.requests(content),
            page_proof.policies(content),
            page_proof.proof(content),
        ]
    )
    head = join(
        [
            Html('<meta charset="utf-8">'),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            tag("title", f"Evidence for {phone}"),
            tag("style", Html(css)),
        ]
    )
    page = tag("html", tag("head", head), tag("body", tag("main", body)), lang="en")
    return f"<!doctype html>\n{page}\n"


def _head(content: Content, phone: str) -> Html:
    local = content["deployment"] == "local"
    return join(
        [
            tag("h1", f"Evidence for {phone}"),
            tag(
                "p",
                "What is on record of this phone: what each source said of it, what was decided, "
                "and what was done with it. All times are UTC. Not legal advice.",
            ),
            tag("p", "This is a rehearsal: the deployment is local, its phones are invented.")
            if local
            else "",
            _findings(content),
            table(
                "In short",
                ["leads of", "campaigns", "last decision", "withdrawn", "in the published leads"],
                (
                    [
                        tag("a", day["lead_date"], href=f"#day-{day['lead_date']}"),
                        ", ".join(sorted({lead["campaign"] for lead in day["leads"]})),
                        _last(day),
                        when(day["withdrawn"]["at"]) if day["withdrawn"] else "no",
                        "yes" if day["publications"] else "no",
                    ]
                    for day in content["days"]
                ),
            ),
            facts(
                "This folder",
                [
                    ("made", when(content["made_at"])),
                    ("of the ledger", code(content["ledger"])),
                    ("by", f"etl-dagster {content['made_with']}"),
                    ("only leads of", content["only_day"]),
                ],
            ),
        ]
    )


def _findings(content: Content) -> Html:
    if not content["findings"]:
        return Html("")
    return tag(
        "div",
        tag("strong", "The ledger is not as it was written. "),
        "What follows is what is there now.",
        tag(
            "ul",
            *(
                tag(
                    "li",
                    f"{one['lead_date']} chunk {one['chunk']} {one['source']}, position "
                    f"{one['position'] or '?'}, batch {one['batch_id'] or '?'}: {one['says']}",
                )
                for one in content["findings"]
            ),
        ),
        kind="warn",
        role="alert",
    )


def _last(day: Content) -> Html:
    if not day["decisions"]:
        return Html("none")
    last = day["decisions"][-1]
    return join([mark(last["decision"]), " at ", when(last["at"])])


def _day(content: Content, day: Content) -> Html:
    return join(
        [
            tag("h2", f"Leads of {day['lead_date']}", id=f"day-{day['lead_date']}"),
            _removed(day),
            table(
                "Leads that have this phone",
                [
                    "campaign",
                    "as phone",
                    "taken in",
                    "at its last scrub",
                    "why",
                    "lead (SHA-256)",
                ],
                (
                    [
                        lead["campaign"],
                        f"{lead['place']} of 3",
                        when(lead["extracted_at"]),
                        mark(lead["verdict"]) if lead["verdict"] else "none yet",
                        lead["reason"],
                        code(lead["lead_id"]),
                    ]
                    for lead in day["leads"]
                ),
            ),
            table(
                "What was decided, and when",
                ["at", "what happened", "decision", "callable until", "because", "policy"],
                (
                    [
                        when(one["at"]),
                        one["what"],
                        mark(one["decision"]),
                        when(one["callable_until"]),
                        join(_words(content, one), "; "),
                        short(one["policy_hash"]),
                    ]
                    for one in day["decisions"]
                ),
            ),
            table(
                "Published as callable, and there now",
                ["campaign", "published", "callable until", "policy", "run"],
                (
                    [
                        one["campaign"],
                        when(one["published_at"]),
                        when(one["callable_until"]),
                        short(one["policy_hash"]),
                        code(one["run_id"]),
                    ]
                    for one in day["publications"]
                ),
            ),
            _withdrawn(day),
            table(
                "Exports that may have it",
                ["exported", "by", "file", "SHA-256 of the file", "campaigns", "note"],
                (
                    [
                        when(one["exported_at"]),
                        one["exported_by"],
                        code(one["file_name"]),
                        code(one["sha256"]),
                        one["campaigns"],
                        "whole after it was taken back" if one["after_withdrawal"] else "",
                    ]
                    for one in day["exports"]
                ),
            ),
            tag(
                "p",
                "The record of an export names days and campaigns, not phones: whether this one "
                "is in a file shows in the file, which must have that SHA-256. An export bears the "
                "moment at which it was whole: what is in it was read before that.",
                kind="quiet",
            )
            if day["exports"]
            else "",
        ]
    )


def _removed(day: Content) -> Html:
    if not day["leads_removed_at"]:
        return Html("")
    return tag(
        "p",
        tag("strong", f"The leads of {day['lead_date']} were removed on "),
        when(day["leads_removed_at"]),
        " because their time was up. Whether this phone was in them, and in which campaigns, is "
        "not on record any more: exports are listed whatever their campaigns, by what the "
        "verdicts allowed.",
    )


def _withdrawn(day: Content) -> Html:
    gone = day["withdrawn"]
    if not gone:
        return Html("")
    verdict = join([" (verdict ", link(gone["verdict"]), ")"]) if gone["verdict"] else ""
    return tag(
        "p",
        tag("strong", "Taken back: "),
        when(gone["at"]),
        f" {gone['says']}",
        verdict,
        ". From then until ",
        when(gone["until"]),
        ", when these decisions had run out anyway, the view to dial from did not show the phone.",
    )


def _named(source: str) -> str:
    return SOURCES.get(source, source)


def _words(content: Content, decision: Content) -> Iterator[Html]:
    causes = decision["causes"] or {}
    for source, name in decision["words"].items():
        row = content["verdicts"][name]["row"]
        over = ", run out" if causes.get(source) == "expired" else ""
        yield join([f"{_named(source)} ", mark(row["verdict"]), f"{over} (", link(name), ")"])
    for source, cause in causes.items():
        if cause == "missing":
            yield tag("span", f"{_named(source)}: not asked yet")
