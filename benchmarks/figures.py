"""Figures as they are kept in `docs/figures/`: with the machine, the versions and the day.

Belongs here: what a figure's file says of where it comes from. Does not: measuring, nor showing
(`benchmarks/tables.py`).
"""

import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

FOLDER = Path(__file__).parents[1] / "docs" / "figures"
PACKAGES = (
    "dagster",
    "duckdb",
    "fakesnow",
    "httpx",
    "numpy",
    "pyarrow",
    "snowflake-connector-python",
)


def about() -> dict[str, Any]:
    """Where and when figures are measured; the load is the last minute's, before it started."""
    return {
        "measured": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": {
            "processors": os.cpu_count(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30),
            "architecture": platform.machine(),
            "system": platform.system(),
            "load_before": round(os.getloadavg()[0], 1),
        },
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
    }


def keep(path: Path, origin: Mapping[str, Any], figures: Mapping[str, Any]) -> None:
    """Write figures, and what `about` said when their measuring began."""
    path.write_text(json.dumps({"about": origin, **figures}, indent=2) + "\n", encoding="utf-8")


def read(name: str) -> dict[str, Any]:
    """The kept figures of this name."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found
