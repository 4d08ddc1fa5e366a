"""``sidebyside plan``."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from sidebyside.cli.plans import completing
from sidebyside.cli.selection import json_option
from sidebyside.redaction import without_passwords

if TYPE_CHECKING:
    from sidebyside.config.schema import Config
    from sidebyside.execution.planning.plans import Plan, PlannedRun

_MOST_ROWS = 64  # more runs than this are shown by variant


@click.command(
    "plan",
    epilog="examples: sidebyside plan study=factorial dataset=mnist; "
    "sidebyside plan optimizer=adam,sgd seed='range(0,5)' hydra.launcher.workers=2",
)
@click.option("-m", "--multirun", is_flag=True, hidden=True)  # as the script has it
@completing.overrides_argument
@json_option
def command(overrides: tuple[str, ...], multirun: bool, as_json: bool) -> None:
    """Tell what a study or a sweep would do: its runs, what is done, the time, the disk.

    KEY=VALUE is as for `python pipelines/train.py --multirun`. Nothing is trained or downloaded.
    """
    asked = without_passwords(" ".join(overrides))
    print(f"planning {asked or 'a run'}", file=sys.stderr, flush=True)
    from sidebyside.config.command_line.arguments import check_arguments
    from sidebyside.config.compose import check_choices, compose_grid, compose_launcher

    check_arguments(["-m", *overrides], "train.py", None)
    check_choices(overrides)
    grid = compose_grid(overrides)
    config, _ = grid[0]
    from sidebyside.execution.planning.plans import plan_of
    from sidebyside.execution.running.launches import title_of
    from sidebyside.execution.study import first_runs

    launcher = compose_launcher(overrides)
    plan = plan_of(first_runs(grid), launcher)
    if as_json:
        print(json.dumps(_as_json(plan), indent=2))
        return
    _print(plan, title_of(own for own, _ in grid), config)


def _print(plan: "Plan", title: str, config: "Config") -> None:
    from sidebyside.cli.tables import print_table

    if len(plan.runs) <= _MOST_ROWS:
        print_table(title, [_row(own) for own in plan.runs])
    else:
        print_table(f"{title}, by variant", _by_variant(plan.runs))
    print(plan.line())
    if any(not own.run.key for own in plan.runs):
        print(
            f"The data of {config.dataset.name} aren't prepared yet, so all count as to train; a "
            "launch prepares them, or `python pipelines/preprocess.py`."
        )
    if config.study and config.study.until:
        most = config.study.max_seeds
        print(f"These are the first seeds; more follow until {config.study.until}, up to {most}.")
    if warning := plan.warning():
        print(f"warning: {warning}")


def _row(own: "PlannedRun") -> dict[str, Any]:
    done, epochs = own.epochs
    return {
        **_levels(own),
        "seed": own.run.seed,
        "state": own.state,
        "epochs": f"{done}/{epochs}" if epochs else "",
        "seconds": f"{own.seconds:.0f}" if own.seconds else "",
        "run": own.run.key[:12],
        "same bits as": own.same_as or "",
    }


def _by_variant(runs: Sequence["PlannedRun"]) -> list[dict[str, Any]]:
    variants: dict[str, list[PlannedRun]] = {}
    for own in runs:
        variants.setdefault(own.run.variant, []).append(own)
    return [
        {
            **_levels(seeds[0]),
            "seeds": len(seeds),
            "done": sum(own.state in ("done", "in evidence") for own in seeds),
            "to resume": sum(own.state == "to resume" for own in seeds),
            "to train": sum(own.state == "to train" for own in seeds),
            "seconds": f"{sum(own.seconds for own in seeds):.0f}",
        }
        for seeds in variants.values()
    ]


def _levels(own: "PlannedRun") -> dict[str, str]:
    from sidebyside.config.factors import level_text

    return {name: level_text(level) for name, level in own.run.factors.items()}


def _as_json(plan: "Plan") -> dict[str, Any]:
    return {
        "runs": [asdict(own) for own in plan.runs],
        "counts": dict(plan.counts),
        "workers": plan.workers,
        "seconds": round(plan.seconds, 1),
        "rough": plan.rough,
        "bytes": plan.size,
    }
