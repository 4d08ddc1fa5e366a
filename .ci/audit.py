"""Look the packages of a lock up in a database of known vulnerabilities.

python .ci/audit.py requirements.lock ends with 1 if there are any, and names them. Where no
database can be reached, it says so and ends with 0.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SERVICES = ("pypi", "osv")  # of pip-audit, in the order to try
TIMEOUT = "10"  # seconds for an answer


def main() -> None:
    """Audit the lock that the command line names."""
    lock = Path(sys.argv[1])
    for service in SERVICES:
        # One package first: where that can't be looked up, none can.
        if look_up(first_pin(lock), service) and (packages := look_up(lock.read_text(), service)):
            report(packages)
            return
    print("No database of known vulnerabilities can be reached: the packages are not audited.")


def first_pin(lock: Path) -> str:
    """Return the first package of a lock, with its hashes."""
    lines = lock.read_text().splitlines()
    end = next(number for number, line in enumerate(lines) if not line.endswith("\\"))
    return "\n".join(lines[: end + 1]) + "\n"


def look_up(pins: str, service: str) -> list[dict[str, Any]]:
    """Return what a database knows of the packages; nothing where it can't be asked."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(pins)
        file.flush()
        command = [sys.executable, "-m", "pip_audit", "--requirement", file.name, "--disable-pip"]
        command += ["--format", "json", "--progress-spinner", "off", "--timeout", TIMEOUT]
        command += ["--vulnerability-service", service]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:  # it ended with an error instead, as of a connection
        return []
    # A mirror that doesn't serve the database has none of the packages.
    return packages if any("vulns" in package for package in packages) else []


def report(packages: list[dict[str, Any]]) -> None:
    """Print what was found, and end the program with 1 if that is a vulnerability."""
    skipped = [package["name"] for package in packages if "vulns" not in package]
    if skipped:
        print(f"Not in the database, so not audited: {', '.join(skipped)}.")
    found = [
        f"{package['name']} {package['version']}: {vulnerability['id']}, "
        f"fixed in {', '.join(vulnerability['fix_versions']) or 'no version yet'}"
        for package in packages
        for vulnerability in package.get("vulns", [])
    ]
    if found:
        print("Known vulnerabilities:", *found, sep="\n  ")
        raise SystemExit(1)
    print(f"No known vulnerability in {len(packages) - len(skipped)} packages.")


if __name__ == "__main__":
    main()
