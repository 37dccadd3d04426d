"""A campaign's columns as SQL expressions over the lead that they make.

Belongs here: what the placeholders of the extraction's statements are filled with. Does not: the
statements themselves (`sql/`), their order (`extraction.py`).
"""

from etl_dagster.leads.campaign_columns import ColumnMap
from etl_dagster.warehouse.statements import fragment


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
    found = []
    for name, source in columns.lead.items():
        value = "NULL::VARCHAR"
        if source is not None:
            value = f"NULLIF(TRIM(TO_VARCHAR(campaign.{source.quoted})), '')"
        found.append(f"{value} AS {name}_raw" if name.startswith("phone") else f"{value} AS {name}")
    return found


def attributes(columns: ColumnMap) -> str:
    """Every other column of the campaign as one object, under its own name."""
    pairs = []
    for column in columns.attributes:
        name = column.name.replace("\\", "\\\\").replace("'", "''")
        pairs.append(f"'{name}', campaign.{column.quoted}")
    # the embedded server does not know OBJECT_CONSTRUCT of nothing
    return f"OBJECT_CONSTRUCT({', '.join(pairs)})::VARIANT" if pairs else "PARSE_JSON('{}')"
