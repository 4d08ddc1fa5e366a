"""``sidebyside why``."""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from sidebyside.cli.plans import completing
from sidebyside.cli.selection import json_option
from sidebyside.errors import UserError

if TYPE_CHECKING:
    from sidebyside.execution.planning.reasons import Reason

_KEY = re.compile(r"[0-9a-f]{6,64}")
_NAMED = 3  # runs of those that have the same reason


@click.command(
    "why",
    epilog="examples: sidebyside why study=factorial; sidebyside why optimizer=sgd seed=3; "
    "sidebyside why 1ee7bfe02997",
)
@click.argument(
    "what",
    nargs=-1,
    required=True,
    metavar="RUN|[KEY=VALUE]...",
    shell_complete=completing.overrides,
)
@json_option
def command(what: tuple[str, ...], as_json: bool) -> None:
    """Tell why a run would be trained again: in what its key differs from the nearest stored run.

    RUN is a run key, or its first six digits or more; KEY=VALUE is as for
    `python pipelines/train.py`, also of many runs.
    """
    print("comparing with the stored runs", file=sys.stderr, flush=True)
    named = _of_run(what[0]) if len(what) == 1 and _KEY.fullmatch(what[0]) else _of_grid(what)
    if as_json:
        print(json.dumps([{"run": name} | asdict(own) for name, own in named], indent=2))
        return
    groups: dict[tuple[object, ...], list[tuple[str, Reason]]] = {}
    for name, own in named:
        alike = own.trains, own.because, own.differences
        groups.setdefault(alike, []).append((name, own))
    for group in groups.values():
        _print(group, len(named))


def _of_run(key: str) -> "list[tuple[str, Reason]]":
    from sidebyside.execution.planning.reasons import reason_of_stored

    return [(key, reason_of_stored(key))]


def _of_grid(overrides: Sequence[str]) -> "list[tuple[str, Reason]]":
    from sidebyside.config.command_line.arguments import check_arguments
    from sidebyside.config.compose import check_choices, compose_grid
    from sidebyside.execution.planning.reasons import reasons_of
    from sidebyside.execution.study import first_runs

    if not all("=" in own for own in overrides):
        raise UserError(
            f"{' '.join(overrides)} is neither a run key (six digits or more, 0-9 and a-f) nor "
            "KEY=VALUE."
        )
    check_arguments(["-m", *overrides], "train.py", None)
    check_choices(overrides)
    return reasons_of(first_runs(compose_grid(overrides)))


def _print(group: "Sequence[tuple[str, Reason]]", total: int) -> None:
    from sidebyside.cli.tables import print_table

    (name, own), *others = group
    count = f"{len(group)} of {total} runs" if total > 1 else f"run {own.key[:12]}"
    print(f"{count} {'would' if own.trains else 'would not'} be trained: {own.because}.")
    if total > 1:
        names = [name, *(other for other, _ in others[: _NAMED - 1])]
        more = f" and {len(group) - len(names)} more" if len(group) > len(names) else ""
        print(f"  {'; '.join(names)}{more}")
    if own.differences:
        rows = [asdict(difference) for difference in own.differences]
        print(f"The nearest stored run is {str(own.nearest)[:12]}, in which this is different:")
        print_table("Differences", rows)
