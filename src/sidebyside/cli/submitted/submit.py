"""``sidebyside submit``."""

import sys

import click

from sidebyside import paths
from sidebyside.cli.plans import completing
from sidebyside.config.command_line.arguments import check_arguments
from sidebyside.config.compose import check_choices, compose_grid, compose_launcher
from sidebyside.errors import UserError
from sidebyside.storage import store


@click.command("submit", epilog="example: sidebyside submit study=factorial hydra/launcher=slurm")
@click.option("-m", "--multirun", is_flag=True, hidden=True)  # as the script has it
@completing.overrides_argument
def command(overrides: tuple[str, ...], multirun: bool) -> None:
    """Launch a study or a sweep and leave it: the terminal may be closed.

    KEY=VALUE is as for `python pipelines/train.py --multirun`. What is wrong with them is told at
    once; then `sidebyside status` and `sidebyside wait` find the launch from any terminal.
    """
    from sidebyside.execution.planning.asking import ask
    from sidebyside.execution.planning.plans import plan_of
    from sidebyside.execution.running.launches import title_of
    from sidebyside.execution.study import check_grid, first_runs
    from sidebyside.execution.submitted import drivers, records

    if not (paths.root() / "pipelines" / "train.py").is_file():
        raise UserError(
            f"There is no pipelines/train.py in {paths.root()}: start it in a project, which "
            "sidebyside init makes."
        )
    check_arguments(["-m", *overrides], "train.py", None)
    check_choices(overrides)
    launcher = compose_launcher(overrides)
    drivers.check_driver(launcher)
    grid = compose_grid(overrides)
    check_grid(grid)
    store.check_writable()
    plan = plan_of(first_runs(grid), launcher)
    print(plan.line(), file=sys.stderr, flush=True)
    ask(plan, grid[0][0].ask_above)
    title = title_of(config for config, _ in grid)
    new = records.begin(overrides, launcher.engine, title, len(grid))
    new = drivers.start(new, overrides, launcher)
    by = f"job {new.job}" if new.job else "a process of this machine"
    print(f"launch {new.id}: {title}, {new.runs} runs, engine {new.engine}, driven by {by}")
    print(f"log {new.log}")
    print(f"sidebyside status {new.id}   tells how far it is")
    print(f"sidebyside wait {new.id}     ends when it does, with its exit code")
    print(f"sidebyside cancel {new.id}   stops it; what is finished is kept")
