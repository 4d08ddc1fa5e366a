"""``sidebyside gc``."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from sidebyside.cli.selection import json_option

if TYPE_CHECKING:
    from sidebyside.execution.garbage.removing import Garbage


@click.command("gc", epilog="examples: sidebyside gc; sidebyside gc --yes")
@click.option("--yes", is_flag=True, help="remove without a question")
@json_option
def command(yes: bool, as_json: bool) -> None:
    """Show what no study, report or DVC output refers to in the run store; ask; remove it.

    Kept are runs of every variant that a study in conf/study/ has today, with any seed; runs in
    results/, in a report's evidence, in results that dvc.lock names; and whatever a launch counts
    on that runs now. A run of an ad-hoc sweep, of a study with settings from the command line, or
    from before an update of code or packages is by itself none of these.
    Without a terminal nothing is removed, unless by --yes.
    """
    print("looking for what refers to runs", file=sys.stderr, flush=True)
    from sidebyside.execution.garbage.removing import find, remove

    found = find()
    if found and not as_json:
        _print(found)
    elif not as_json:
        print("Nothing to remove.")
    gone = remove(found) if found and (yes or _agreed(found)) else []
    if as_json:
        rows = [asdict(own) | {"path": str(own.path), "removed": own in gone} for own in found]
        print(json.dumps(rows, indent=2))
    elif gone:
        kept = f", {len(found) - len(gone)} are in use" if len(gone) < len(found) else ""
        print(f"{len(gone)} removed, {_megabytes(gone)}{kept}.")


def _print(found: "Sequence[Garbage]") -> None:
    from sidebyside.cli.tables import print_table

    groups: dict[tuple[str, str], list[Garbage]] = {}
    for own in found:
        about = own.about if own.kind == "run" else ""
        groups.setdefault((own.kind, about), []).append(own)
    rows: list[dict[str, Any]] = [
        {
            "what": kind,
            "of": about,
            "count": len(group),
            "size": _megabytes(group),
            "for instance": group[0].path.name[:12],
        }
        for (kind, about), group in groups.items()
    ]
    print_table(f"Nothing refers to these, {_megabytes(found)}", rows)


def _agreed(found: "Sequence[Garbage]") -> bool:
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):  # None where it is closed
        print("Nothing was removed: there is nobody to ask; --yes removes.", file=sys.stderr)
        return False
    return click.confirm(f"Remove {len(found)} of them?", err=True)


def _megabytes(found: "Sequence[Garbage]") -> str:
    return f"{sum(own.size for own in found) / 1e6:.1f} MB"
