"""The coverage of each package, in Markdown; status 1 where a domain package has less than it must.

Belongs here: adding up what coverage.py measured. Does not: measuring, which `make coverage` does.
"""

import json
import sys
import tomllib
from collections import Counter, defaultdict
from fnmatch import fnmatch
from pathlib import Path

CONFIG = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["coverage_table"]


def package_of(path: str) -> str:
    """The part of the project that a file is counted to."""
    if any(fnmatch(path, pattern) for pattern in CONFIG["not_domain"]):
        return "not domain"
    return "/".join(path.split("/")[:2]) if path.count("/") > 1 else "etl_dagster/*.py"


def share(covered: int, all_of_them: int) -> float:
    """The covered part; all of nothing is covered."""
    return covered / all_of_them if all_of_them else 1.0


def main() -> None:
    parts: dict[str, Counter[str]] = defaultdict(Counter)
    for path, file in json.loads(Path(sys.argv[1]).read_text())["files"].items():
        parts[package_of(path)].update(file["summary"])
    low = []
    print("| package | lines | covered | branches | covered |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, found in sorted(parts.items()):
        lines = share(found["covered_lines"], found["num_statements"])
        branches = share(found["covered_branches"], found["num_branches"])
        print(
            f"| `{name}` | {found['num_statements']:,} | {lines:.1%}"
            f" | {found['num_branches']:,} | {branches:.1%} |"
        )
        if name != "not domain" and min(lines, branches) < CONFIG["least"]:
            low.append(name)
    least = f"{CONFIG['least']:.0%}"
    sys.exit(f"less than {least} of lines or branches covered: {', '.join(low)}" if low else 0)


if __name__ == "__main__":
    main()
