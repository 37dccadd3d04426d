"""A campaign's columns as SQL expressions over the lead that they make.

Belongs here: what the placeholders of the extraction's statements are filled with. Does not: the
statements themselves (`sql/`), their order (`extraction.py`).
"""

from typing import Final

from etl_dagster.leads.campaigns import ColumnMap
from etl_dagster.warehouse.statements import fragment

TEXT_COLUMNS: Final = ("first_name", "last_name", "address", "city", "state")
CONTACT_COLUMNS: Final = ("phone_1", "phone_2", "phone_3", "email_1", "email_2", "email_3")


def identity(table: str) -> dict[str, str]:
    """The expressions that identify a person, over the columns of `table`."""
    return {
        "first_key": fragment("identity_key", text=f"{table}.first_name"),
        "last_key": fragment("identity_key", text=f"{table}.last_name"),
        "street_key": fragment("identity_key", text=f"{table}.address"),
        "zip_key": fragment("zip_code", text=f"TO_VARCHAR({table}.zip)"),
    }


def numbers() -> dict[str, str]:
    """The expressions that read phones."""
    return {
        "phone_number": fragment("phone_number", raw="c.phone_raw"),
        **{
            f"phone_{place}": fragment("phone_number", raw=f"filled.phone_{place}_raw")
            for place in (1, 2, 3)
        },
    }


def selected(columns: ColumnMap) -> list[str]:
    """The campaign's columns under the lead's names; blank text is NULL."""

    def text(name: str, to: str) -> str:
        source = columns.lead[name]
        if source is None:
            return f"NULL::VARCHAR AS {to}"
        value = f"NULLIF(TRIM(TO_VARCHAR(campaign.{source.quoted})), '')"
        return f"{value} AS {to}"

    return [
        *(text(name, name) for name in (*TEXT_COLUMNS, "zip")),
        *(
            text(name, f"{name}_raw" if name.startswith("phone") else name)
            for name in CONTACT_COLUMNS
        ),
    ]


def attributes(columns: ColumnMap) -> str:
    """Every other column of the campaign as one object, under its own name."""
    pairs = []
    for column in columns.attributes:
        name = column.name.replace("\\", "\\\\").replace("'", "''")
        pairs.append(f"'{name}', campaign.{column.quoted}")
    # the embedded server does not know OBJECT_CONSTRUCT of nothing
    return f"OBJECT_CONSTRUCT({', '.join(pairs)})::VARIANT" if pairs else "PARSE_JSON('{}')"
