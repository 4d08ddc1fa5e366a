"""Hydra sweeper: a grid of runs as one launch."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobStatus

from sidebyside.config.factors import NOT_FACTORS, REPLICATE, as_level, short_names
from sidebyside.redaction import save_config


class StudySweeper(BasicSweeper):
    """Hydra's grid over comma-separated levels, launched as `sidebyside.execution.launch` does it.

    Every run is checked before the first one starts; all of them go to the launcher at once.
    """

    def sweep(self, arguments: list[str]) -> None:
        """Run the grid of the study's parameters and the command line's ``arguments``."""
        from sidebyside.cli.stage import user_errors_reported

        with user_errors_reported():
            self._sweep(arguments)

    def _sweep(self, arguments: list[str]) -> None:
        from sidebyside.config.schema import Launch
        from sidebyside.config.validate import check, check_launcher
        from sidebyside.execution.executors import start_server
        from sidebyside.execution.launch import Job, launch

        assert self.config is not None
        assert self.hydra_context is not None
        loader, launcher = self.hydra_context.config_loader, self.launcher
        assert launcher is not None
        check_launcher(self.config.hydra.launcher)
        parser = OverridesParser.create(config_loader=loader)
        parsed = parser.parse_overrides([*self._parse_config(), *arguments])
        _refuse_senseless(parsed)
        _refuse_pinned(parser.parse_overrides(arguments), parsed)
        factors = self._factor_names(parsed)
        (split,) = self.split_arguments(parsed, max_batch_size=None)
        grid = [list(overrides) for overrides in split]

        base = self.config

        def job(overrides: list[str]) -> Job:
            composed = loader.load_sweep_config(base, list(overrides))
            return Job(check(composed), _levels(parser.parse_overrides(overrides), factors))

        def start(launches: list[tuple[int, Launch]]) -> list[BaseException | None]:
            named = [[*grid[number], _launch_override(launched)] for number, launched in launches]
            first, _ = launches[0]
            return [_failure(one) for one in launcher.launch(named, initial_job_idx=first)]

        jobs = [job(grid[0])]  # most mistakes are in all of them
        start_server()  # it takes as long as the other configs
        jobs += [job(overrides) for overrides in grid[1:]]
        folder = self._folder()
        runs = launch(jobs, start, folder)
        while more := _more_seeds(jobs, runs, grid):
            grid += more
            jobs += [job(overrides) for overrides in more]
            runs = launch(jobs, start, folder, finished={run.key for run in runs})

    def _factor_names(self, parsed: Sequence[Override]) -> dict[str, str]:
        """Return the short name of each factor by its key: what is swept, or named by a study."""
        keys = dict.fromkeys(
            override.get_key_element()
            for override in parsed
            if override.is_sweep_override() or override.get_key_element() in self.params
        )
        return short_names([key for key in keys if key != REPLICATE])

    def _folder(self) -> Path:
        assert self.config is not None
        folder = Path(self.config.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        save_config(self.config, folder / "multirun.yaml")
        return folder


def _refuse_senseless(parsed: Sequence[Override]) -> None:
    from sidebyside.errors import UserError

    names = [override.get_key_element() for override in parsed]
    for override in parsed:
        name = override.get_key_element()
        if override.is_sweep_override() and name.split(".")[0] in NOT_FACTORS:
            raise UserError(
                f"{name}={override.value()} can't be swept: it changes no network. Run the command "
                "once for each value."
            )
        if override.is_sweep_override() and name == "dataset" and "study" in names:
            raise UserError(
                "dataset can't be swept in a study, whose runs are compared on the same test "
                "images. Run the study once for each dataset."
            )


def _refuse_pinned(by_hand: Sequence[Override], parsed: Sequence[Override]) -> None:
    from sidebyside import paths
    from sidebyside.config.presets import refuse_pinned

    presets: list[str] = []
    for override in parsed:
        if override.get_key_element() == "preset":
            swept = override.is_sweep_override()
            presets = list(override.sweep_string_iterator()) if swept else [str(override.value())]
    keys = [override.get_key_element() for override in by_hand]
    refuse_pinned(paths.root() / "conf", presets, keys)


def _more_seeds(jobs: Sequence[Any], runs: Sequence[Any], grid: list[list[str]]) -> list[list[str]]:
    """Return the overrides of runs to add because a variant's interval is still too wide."""
    from sidebyside.execution.launch import errors_by_variant
    from sidebyside.execution.stopping import seeds_to_add

    config = jobs[0].config
    if config.study is None or config.study.target_halfwidth is None:
        return []
    target, most = config.study.target_halfwidth, config.study.max_seeds
    more = []
    for variant, count in seeds_to_add(errors_by_variant(config, runs), target, most).items():
        of_variant = [number for number, job in enumerate(jobs) if job.variant == variant]
        seed = 1 + max(jobs[number].config.seed for number in of_variant)
        overrides = [one for one in grid[of_variant[0]] if not one.startswith(f"{REPLICATE}=")]
        more += [[*overrides, f"{REPLICATE}={seed + step}"] for step in range(count)]
    if more:
        print(f"Adding {len(more)} runs: intervals are wider than +-{target:g} points.", flush=True)
    return more


def _levels(overrides: Sequence[Override], factors: dict[str, str]) -> dict[str, Any]:
    values = {override.get_key_element(): override.value() for override in overrides}
    return {name: as_level(values[key]) for key, name in factors.items()}


def _launch_override(launched: Any) -> str:
    levels = ",".join(f"{name}:{_quoted(level)}" for name, level in launched.factors.items())
    return (
        f"launch={{id:{_quoted(launched.id)},parent:{_quoted(launched.parent)},"
        f"key:{_quoted(launched.key)},variant:{_quoted(launched.variant)},factors:{{{levels}}}}}"
    )


def _quoted(value: Any) -> str:
    """Return a value in the grammar of Hydra's command line; text quoted, so it stays text."""
    if not isinstance(value, str):
        return json.dumps(value)
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _failure(job: JobReturn) -> BaseException | None:
    if job.status == JobStatus.COMPLETED:
        return None
    error = job._return_value  # its public name prints a line of its own for each failure
    if isinstance(error, BaseException):
        return error
    return RuntimeError(f"ended as {job.status.name}")
