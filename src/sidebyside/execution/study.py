"""All runs of a study, or of an ad-hoc grid, seeds added where its rule asks for them."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sidebyside import paths
from sidebyside.config.compose import compose_grid, compose_launcher
from sidebyside.config.factors import variant_name
from sidebyside.config.schema import Config, Study
from sidebyside.errors import UserError
from sidebyside.execution.executors import Executor, LocalExecutor
from sidebyside.execution.launch import Launched, Wanted, launch
from sidebyside.execution.stopping import check_rule, first_stage, next_stage
from sidebyside.storage.results import StudyResults, load_study


def run_study(config: Config) -> StudyResults:
    """Train and evaluate all runs of a study, in parallel on this machine.

    What the run store has isn't trained again, and an interrupted study goes on where it was.

    Parameters
    ----------
    config : Config
        As ``compose("study=factorial", ...)`` returns it.

    Returns
    -------
    StudyResults
        What `sidebyside.load_study` returns of it from now on.

    Raises
    ------
    UserError
        If no study is selected, or runs failed; those that didn't are kept.
    """
    if config.study is None:
        raise UserError("No study is selected: compose the config with study=<name>.")
    executor = LocalExecutor.from_settings(compose_launcher(config.overrides))
    executor.start()
    folder = paths.home() / "outputs" / "python" / f"{datetime.now():%Y-%m-%d/%H-%M-%S-%f}"
    launched = run_grid(compose_grid(config.overrides), executor, folder)
    if launched.failures:
        reasons = "; ".join(f"{key[:12]}: {error}" for key, error in launched.failures.items())
        raise UserError(
            f"{len(launched.failures)} of {len(launched.runs)} runs failed ({reasons}). The others "
            "are kept; the same call again does what is missing."
        )
    return load_study(config.dataset.name, config.study.name)


def run_grid(grid: Sequence[Wanted], executor: Executor, log_folder: Path) -> Launched:
    """Train all runs of a grid, and those with further seeds where the study asks for them.

    Parameters
    ----------
    grid : sequence of (Config, dict)
        Configs, each with its levels.
    executor : Executor
    log_folder : pathlib.Path
        For what the workers print.

    Raises
    ------
    UserError
        Before anything is started, if a run can't be trained here.
    SystemExit
        With 130 after Ctrl-C or SIGTERM.
    """
    config, _ = grid[0]
    if config.study is None or config.study.until is None:
        return launch(grid, executor, log_folder)
    return _grow(grid, config.study, executor, log_folder)


def _grow(grid: Sequence[Wanted], study: Study, executor: Executor, log_folder: Path) -> Launched:
    """Train a study's first stage, look at it, and go on while its rule asks for more seeds."""
    by_variant = _by_variant(grid)
    check_rule(study, list(by_variant))
    seeds = dict.fromkeys(by_variant, first_stage(study))
    finished: set[str] = set()
    while True:
        # Test errors are what is looked at, whichever stage of a pipeline publishes them.
        wanted = [
            (replace(config, seed=seed, evaluate=True), factors)
            for name, (config, factors) in by_variant.items()
            for seed in range(seeds[name])
        ]
        launched = launch(wanted, executor, log_folder, finished)
        if launched.failures or (stage := next_stage(wanted[0][0], launched.runs)) is None:
            return launched
        print(f"{stage.reason}.", file=sys.stderr, flush=True)
        seeds |= stage.seeds
        finished = {run.key for run in launched.runs}


def _by_variant(grid: Sequence[Wanted]) -> dict[str, Wanted]:
    """Return a config of each variant; seeds are the rule's and not the grid's.

    Raises
    ------
    UserError
        If other seeds than the first ones were asked for.
    """
    by_variant: dict[str, Wanted] = {}
    seeds: dict[str, list[int]] = {}
    for config, factors in grid:
        name = variant_name(factors)
        by_variant.setdefault(name, (config, factors))
        seeds.setdefault(name, []).append(config.seed)
    for own in seeds.values():
        if own != list(range(len(own))):
            raise UserError(
                f"seed={','.join(map(str, own))} won't do with study.until, which counts seeds "
                "from 0 itself: leave seed out."
            )
    return by_variant
