"""Hydra sweeper: a grid of runs as one launch."""

import sys
from functools import partial
from pathlib import Path

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

from sidebyside.redaction import save_config, save_content


class StudySweeper(BasicSweeper):
    """Hydra's grid over comma-separated levels, launched as `sidebyside.execution.study` does it.

    Every run is checked before the first one starts; all of them go to one executor at once.
    """

    def sweep(self, arguments: list[str]) -> None:
        """Run the grid of the study's parameters and the command line's ``arguments``."""
        from sidebyside.cli.program import user_errors_reported

        with user_errors_reported():
            self._sweep(arguments)

    def _sweep(self, arguments: list[str]) -> None:
        from sidebyside.cli.tables import print_launched
        from sidebyside.config.composing import compose_points
        from sidebyside.config.factors import variant_name
        from sidebyside.config.grid import points
        from sidebyside.config.pinned import unused_parameters
        from sidebyside.config.validate import check_launcher
        from sidebyside.execution.executors.chosen import executor_of
        from sidebyside.execution.planning.asking import heading
        from sidebyside.execution.study import run_grid
        from sidebyside.stderr import told

        assert self.config is not None
        assert self.hydra_context is not None
        loader, base = self.hydra_context.config_loader, self.config
        launcher = check_launcher(base.hydra.launcher)
        grid = points(self.params, arguments, loader)
        composed = compose_points(grid, partial(loader.load_sweep_config, base))
        configs = [next(composed)]  # most mistakes are in all of them
        study = f"study={base.study.name} on " if base.study else ""
        datasets = dict.fromkeys(str(p.factors.get("dataset", base.dataset.name)) for p in grid)
        asked = f"{len(grid)} runs"
        if base.study and base.study.get("until"):
            variants = {variant_name(point.factors) for point in grid}
            asked = f"{len(variants)} variants, seeds until {base.study.until}"
        print(f"{study}dataset={','.join(datasets)}: {asked}", file=sys.stderr, flush=True)
        if base.study and (apart := unused_parameters(base, arguments)):
            print(apart, file=sys.stderr)
        executor = executor_of(launcher, configs[0].config.tracking, configs[0].config.store)
        executor.start()  # it takes as long as the other configs
        configs += told(composed, len(grid), "configs composed")
        folder = Path(base.hydra.sweep.dir)
        save_config(base, folder / "multirun.yaml")
        for number, (own, point) in enumerate(zip(configs, grid, strict=True)):
            save_content(own.content, folder / str(number) / ".hydra" / "config.yaml")
            save_content(point.overrides, folder / str(number) / ".hydra" / "overrides.yaml")
        wanted = [(own.config, point.factors) for own, point in zip(configs, grid, strict=True)]
        before = heading(launcher, wanted[0][0].ask_above)
        launched = run_grid(wanted, executor, folder, before)
        print_launched(launched, evaluated=wanted[0][0].evaluate)
