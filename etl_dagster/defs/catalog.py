"""What the asset graph says of things beside their data: where leads come from, tags, links.

Belongs here: external assets for what is outside, the words of tags, links to SQL and docs. Does
not: anything that is materialized.
"""

import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import dagster as dg

from etl_dagster.ccc import SOURCES as CCC_SOURCES
from etl_dagster.leads.campaigns import Campaign
from etl_dagster.leads.policy import Policy
from etl_dagster.settings import PROJECT, Settings

SOURCES: Final = "sources"
LIST_FILES: Final = dg.AssetKey([SOURCES, "dnc_list_files"])
OPT_OUT_FILES: Final = dg.AssetKey([SOURCES, "opt_out_files"])
STATEMENTS: Final = Path(__file__).parent.parent / "warehouse" / "sql"
DOCS: Final = PROJECT / "docs"

warnings.filterwarnings("ignore", message=".*CodeReference", category=dg.BetaWarning)


def source_specs(
    settings: Settings, campaigns: Sequence[Campaign], policy: Policy
) -> list[dg.AssetSpec]:
    """What is read and not made here: tables, list files, the services that are asked."""
    names = {name for campaign in campaigns for name in campaign.tables}
    names.add(settings.contacts_table.upper())
    tables = {table_key(name): f"Table `{name}`, which campaigns read." for name in sorted(names)}
    if settings.opt_outs_table:
        name = settings.opt_outs_table.upper()
        tables.setdefault(table_key(name), f"Table `{name}` of people's opt-outs.")
    lists = (
        f"Do-Not-Call lists as files in `{settings.dnc_inbox_dir}`, called `<list>@<date>` with any"
        " ending."
    )
    opt_outs = f"People's opt-outs as files in `{settings.opt_out_inbox_dir}`."
    return [
        *(
            _source(key, description, "snowflake", "table", personal_data=True)
            for key, description in tables.items()
        ),
        *api_specs(policy),
        _source(LIST_FILES, lists, "file"),
        _source(OPT_OUT_FILES, opt_outs, "file"),
    ]


def _source(
    key: dg.AssetKey, description: str, *kinds: str, personal_data: bool = False
) -> dg.AssetSpec:
    return dg.AssetSpec(
        key,
        description=description,
        group_name=SOURCES,
        kinds=set(kinds),
        tags=tags(SOURCES, personal_data=personal_data),
    )


def api_specs(policy: Policy) -> list[dg.AssetSpec]:
    """The services that a run under a policy asks about phones."""
    titles = [CCC_SOURCES[api](policy).title for api in policy.apis]
    return [
        _source(
            dg.AssetKey([SOURCES, f"ccc_{title.replace(' ', '_')}"]),
            f"The {title} of Contact Center Compliance: phones go there, nothing else.",
            "api",
        )
        for title in titles
    ]


def table_key(name: str) -> dg.AssetKey:
    """The asset that stands for a table, whatever its schema is called."""
    return dg.AssetKey([SOURCES, re.sub(r"\W+", "_", name.rpartition(".")[2].lower()).strip("_")])


def tags(stage: str, *, personal_data: bool = False) -> dict[str, str]:
    """Tags to search assets by: the stage, and whether names and addresses are in it."""
    return {"stage": stage, "personal_data": "in_warehouse" if personal_data else "none"}


def code_version(number: str, policy: Policy) -> str:
    """The code version of an asset that a policy decides: the UI shows a changed one as new."""
    return f"{number}-{policy.hash[:8]}"


def links(*statements: str, docs: Iterable[str] = (), files: Iterable[Path] = ()) -> dict[str, Any]:
    """Metadata that links an asset to its SQL, its docs and other files.

    Args:
        statements: names of `warehouse/sql/*.sql`.
        docs: names of pages in the folder of docs, which only a checkout has.
        files: any.
    """
    paths = [
        *files,
        *(STATEMENTS / f"{name}.sql" for name in statements),
        *(DOCS / name for name in docs),
    ]
    return {
        "dagster/code_references": dg.CodeReferencesMetadataValue(
            code_references=[
                dg.LocalFileCodeReference(file_path=str(path), label=path.name)
                for path in paths
                if path.exists()
            ]
        )
    }
