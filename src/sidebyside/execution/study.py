"""All runs of a study, or of an ad-hoc grid, seeds added where its stopping rule asks for them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sidebyside import paths
from sidebyside.config.compose import compose_grid, compose_launcher
from sidebyside.config.factors import variant_name
from sidebyside.config.schema import Config
from sidebyside.errors import UserError
from sidebyside.execution.executors import Executor, LocalExecutor
from sidebyside.execution.launch import Launched, Wanted, launch
from sidebyside.storage.evaluations import stored_evaluation
from sidebyside.storage.results import StudyResults, StudyRun, load_study


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
    wanted = list(grid)
    _check_stopping(wanted[0][0])
    launched = launch(wanted, executor, log_folder)
    while not launched.failures and (more := _more_seeds(wanted, launched.runs)):
        wanted += more
        finished = {run.key for run in launched.runs}
        launched = launch(wanted, executor, log_folder, finished)
    return launched


def _check_stopping(config: Config) -> None:
    if config.study and config.study.target_halfwidth and not config.evaluate:
        raise UserError(
            f"study.target_halfwidth={config.study.target_halfwidth:g} needs test errors, which "
            "evaluate=false leaves to a later stage: run the study with python pipelines/train.py "
            f"-m study={config.study.name} instead of DVC, or set it to null."
        )


def _more_seeds(wanted: Sequence[Wanted], runs: Sequence[StudyRun]) -> list[Wanted]:
    """Return runs to add because a variant's interval is still too wide."""
    config, _ = wanted[0]
    if config.study is None or config.study.target_halfwidth is None:
        return []
    from sidebyside.execution.stopping import seeds_to_add

    target, most = config.study.target_halfwidth, config.study.max_seeds
    more: list[Wanted] = []
    for variant, count in seeds_to_add(_errors_by_variant(config, runs), target, most).items():
        of_variant = [each for each in wanted if variant_name(each[1]) == variant]
        seed = 1 + max(of_seed.seed for of_seed, _ in of_variant)
        first, factors = of_variant[0]
        more += [(replace(first, seed=seed + step), factors) for step in range(count)]
    if more:
        print(f"Adding {len(more)} runs: intervals are wider than +-{target:g} points.", flush=True)
    return more


def _errors_by_variant(config: Config, runs: Sequence[StudyRun]) -> dict[str, list[float]]:
    """Return the test errors of finished runs, percent."""
    assert config.study is not None
    from sidebyside.storage.evidence import committed

    held = any(run.in_evidence for run in runs)
    evidence = committed(config.dataset.name, config.study.name) if held else None
    known = {run.key: evidence.test_error(run) for run in evidence.runs} if evidence else {}
    errors: dict[str, list[float]] = {}
    for run in runs:
        error = known.get(run.key) if run.in_evidence else None
        if error is None:
            error = stored_evaluation(run.key).test_error
        errors.setdefault(run.variant, []).append(error)
    return errors
