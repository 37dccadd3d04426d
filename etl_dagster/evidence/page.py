"""The page for people: what `evidence.json` says, to be read and printed.

Belongs here: filling `page.html`, which has what is shown, in which order and words. Does not:
facts, which all come from the content; the proofs, which `verify.py` makes. Of other phones nothing
is shown. Everything that is not markup of the template's is escaped.
"""

import json
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from etl_dagster.evidence.forms import SOURCES

_HERE: Final = resources.files(__package__)


def render(content: dict[str, Any]) -> str:
    """The whole page; no script, and nothing is loaded from elsewhere."""
    pages = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: "" if value is None else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= {
        "json": json.dumps,
        "indented": lambda text: json.dumps(json.loads(text), indent=2),
        "grouped": "{:,}".format,
    }
    phone = f"{content['phone']:010d}"
    css = _HERE.joinpath("page.css").read_text("utf-8")
    page = pages.from_string(_HERE.joinpath("page.html").read_text("utf-8"))
    text = page.render(
        content,
        phone=f"{phone[:3]}-{phone[3:6]}-{phone[6:]}",
        css=Markup(css),  # noqa: S704  a file of ours
        sources=SOURCES,
        links={one["batch_id"]: one for chain in content["chains"] for one in chain},
    )
    return text.lstrip()
