"""All runs of a study, or of an ad-hoc grid, seeds added where its rule asks for them."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sidebyside import paths
from sidebyside.config.compose import compose_grid, compose_launcher
from sidebyside.config.crossvalidation import check_folds
from sidebyside.config.factors import variant_name
from sidebyside.config.schema import Config, Study
from sidebyside.errors import UserError
from sidebyside.execution.executors.chosen import executor_of
from sidebyside.execution.executors.interface import Executor
from sidebyside.execution.launch import Launched, launch
from sidebyside.execution.named import check_names
from sidebyside.execution.planned import Wanted
from sidebyside.execution.planning.asking import Before, heading
from sidebyside.execution.stopping import check_rule, first_stage, next_stage, surely_needed
from sidebyside.storage.results import StudyResults, StudyRun, load_study


def run_study(config: Config) -> StudyResults:
    """Train and evaluate all runs of a study, in parallel.

    That is on this machine, unless ``hydra/launcher`` is among what the config was composed with.
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
    launcher = compose_launcher(config.overrides)
    executor = executor_of(launcher, config.tracking, config.store)
    executor.start()
    folder = paths.home() / "outputs" / "python" / f"{datetime.now():%Y-%m-%d/%H-%M-%S-%f}"
    launched = run_grid(compose_grid(config.overrides), executor, folder, heading(launcher))
    if launched.failures:
        reasons = "; ".join(f"{key[:12]}: {error}" for key, error in launched.failures.items())
        raise UserError(
            f"{len(launched.failures)} of {len(launched.runs)} runs failed ({reasons}). The others "
            "are kept; the same call again does what is missing."
        )
    return load_study(config.dataset.name, config.study.name)


def run_grid(
    grid: Sequence[Wanted], executor: Executor, log_folder: Path, before: Before | None = None
) -> Launched:
    """Train all runs of a grid, and those with further seeds where the study asks for them.

    Parameters
    ----------
    grid : sequence of (Config, dict)
        Configs, each with its levels.
    executor : Executor
    log_folder : pathlib.Path
        For what the workers print.
    before : callable, optional
        See `sidebyside.execution.launch.launch`.

    Raises
    ------
    UserError
        Before anything is started, if a run can't be trained here.
    SystemExit
        With 130 after Ctrl-C or SIGTERM.
    """
    check_grid(grid)
    growing = _growing(grid)
    if growing is None:
        return launch(grid, executor, log_folder, before=before)
    return launch(growing.first(), executor, log_folder, growing.more, before)


def first_runs(grid: Sequence[Wanted]) -> Sequence[Wanted]:
    """Return those runs of a grid with which `run_grid` would begin: all, or the first seeds.

    Raises
    ------
    UserError
        As `check_grid` does.
    """
    check_grid(grid)
    growing = _growing(grid)
    return grid if growing is None else growing.first()


def _growing(grid: Sequence[Wanted]) -> "_Growing | None":
    """Return the study that adds seeds, None where all runs are known."""
    config, _ = grid[0]
    if config.study is None or config.study.until is None:
        return None
    return _Growing(_by_variant(grid), first_stage(config.study))


def check_grid(grid: Sequence[Wanted]) -> None:
    """Raise a UserError for what can't be asked of the runs of a grid together."""
    check_folds(grid)
    config, _ = grid[0]
    if config.study is None:
        return
    _check_metric(grid, config.study)
    check_names(config.study, {variant_name(factors): factors for _, factors in grid})
    if config.study.until is not None:
        variants = {name: factors for name, (_, factors) in _by_variant(grid).items()}
        check_rule(config.study, variants)


def _check_metric(grid: Sequence[Wanted], study: Study) -> None:
    """Raise a UserError if runs can't be judged by what a study names."""
    from sidebyside.analysis.metrics.scores import check_metric

    for classes in {config.dataset.classes for config, _ in grid}:
        check_metric(study.judged_by, classes)


class _Growing:
    """A study that begins with a first stage, and goes on while its rule asks for more seeds.

    All is computed from the runs that there are: one that is killed needs nothing else to go on.
    """

    def __init__(self, by_variant: Mapping[str, Wanted], seeds: int) -> None:
        self._by_variant = by_variant
        self._config, _ = next(iter(by_variant.values()))
        self._stage = dict.fromkeys(by_variant, seeds)
        self._begun = dict.fromkeys(by_variant, 0)
        self._asked_with: set[str] = set()
        self._over = False

    def first(self) -> list[Wanted]:
        """Return the runs of the first stage."""
        return self._begin(self._stage)

    def more(self, finished: Sequence[StudyRun]) -> list[Wanted]:
        """Look at a stage that is finished; begin meanwhile with what is needed in any case."""
        while not self._over and len(runs := self._of_stage(finished)) == sum(self._stage.values()):
            if (stage := next_stage(self._config, runs)) is None:
                self._over = True
            else:
                print(f"{stage.reason}.", file=sys.stderr, flush=True)
                self._stage |= stage.seeds
                if begun := self._begin(self._stage):
                    return begun
        keys = {run.key for run in finished}
        if self._over or keys == self._asked_with:
            return []
        self._asked_with = keys
        return self._begin(surely_needed(self._config, self._complete(runs)))

    def _of_stage(self, runs: Sequence[StudyRun]) -> list[StudyRun]:
        return [run for run in runs if run.seed < self._stage[run.variant]]

    def _complete(self, runs: Sequence[StudyRun]) -> list[StudyRun]:
        """Return the runs of variants of which none is missing in this stage."""
        counts = Counter(run.variant for run in runs)
        return [run for run in runs if counts[run.variant] == self._stage[run.variant]]

    def _begin(self, seeds: Mapping[str, int]) -> list[Wanted]:
        """Return the runs up to these numbers of seeds that weren't begun before."""
        wanted = []
        for name, count in seeds.items():
            config, factors = self._by_variant[name]
            # What runs are judged by is looked at, whichever stage of a pipeline publishes them.
            wanted += [
                (replace(config, seed=seed, evaluate=True), factors)
                for seed in range(self._begun[name], count)
            ]
            self._begun[name] = max(count, self._begun[name])
        return wanted


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
