"""Variables that are nearly called as a setting, which would be left at its default.

Belongs here: how alike is too alike. Does not: what becomes of it (`etl_dagster.settings`).
"""

from collections.abc import Collection
from difflib import get_close_matches
from typing import Final

from etl_dagster.settings.fields import Fields

_ALIKE: Final = 0.8
"""From so alike on a name is a misspelt one; other variables of a machine may begin like ours."""
_SAME: Final = 0.85
"""The same for Snowflake's, without what all of them begin with."""


def misspelt(given: Collection[str]) -> list[str]:
    """Name what would be left at its default, because it is not quite called as its setting."""
    known = [str(field.alias) for field in Fields.model_fields.values()]
    strangers = sorted({*given} - {*known})
    ours = [name for name in strangers if name.startswith(("ETL_", "CCC_", "DNC_"))]
    near = {name: get_close_matches(name, known, 1, _ALIKE) for name in ours}
    # other programs have many variables that begin so: only the rest is compared, and more strictly
    first = "SNOWFLAKE_"
    rests = [name.removeprefix(first) for name in known if name.startswith(first)]
    for name in strangers:
        if name.startswith(first):
            like = get_close_matches(name.removeprefix(first), rests, 1, _SAME)
            near[name] = [f"{first}{rest}" for rest in like]
    return [f"{name} is no setting: {like[0]} is" for name, like in near.items() if like]
