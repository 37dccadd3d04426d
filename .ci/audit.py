"""Hold every locked package against known vulnerabilities: `make audit`; status 1 if there is one.

Asks PyPI, then OSV, whichever knows all packages first. Where neither does (a mirror has no
advisories), that is said, and is no failure: what could not be looked up is not known to be bad.
Arguments go to pip-audit.
"""

import json
import subprocess
import sys
from pathlib import Path

LOCK = Path(__file__).parent.parent / "requirements.txt"
COMMAND = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--require-hashes"]
COMMAND += ["--format", "json", "--progress-spinner", "off", "--timeout", "10"]


def audit(arguments: list[str]) -> tuple[int, int, list[str]]:
    """Packages, how many of them were looked up, and a line for each known vulnerability."""
    command = [*COMMAND, "--requirement", str(LOCK), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        if done.returncode == 2:  # noqa: PLR2004 - misuse, by argparse
            raise SystemExit(done.stderr) from None
        kind = done.stderr.strip().rpartition("\n")[2].partition(":")[0]
        sys.stderr.write(f"no answer ({kind})\n")
        return 0, 0, []  # the service cannot be reached
    found = [
        f"{one['name']} {one['version']}: {bad['id']}, mended in {bad['fix_versions'] or 'none'}"
        for one in packages
        for bad in one.get("vulns", [])
    ]
    return len(packages), sum("vulns" in one for one in packages), found


def main(arguments: list[str]) -> int:
    """Audit with these arguments, or, without any, by each service until one knows the packages."""
    for choice in [arguments] if arguments else [["-s", "pypi"], ["-s", "osv"]]:
        packages, audited, found = audit(choice)
        if audited == packages > 0 or found:
            print(*found, f"audited {audited} of {packages} packages: {len(found)} known", sep="\n")
            return bool(found)
    print("NOTHING WAS AUDITED: no service with advisories can be reached from here")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
