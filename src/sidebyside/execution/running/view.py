"""The live view of a launch: a line for each run that is being trained, and one for all."""

from contextlib import AbstractContextManager
from datetime import timedelta
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column

from sidebyside.execution.running.states import State

_BESIDE = 38  # characters beside a run's name
_LEAST = 20  # characters of it


class View(AbstractContextManager["View"]):
    """What a terminal shows of a launch, failures above it as they come."""

    def __init__(self, console: Console) -> None:
        self._bars = Progress(
            # No markup: a level may be a list, whose brackets would be taken for it.
            TextColumn(
                "{task.description}", markup=False, table_column=Column(no_wrap=True, ratio=2)
            ),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[said]}", table_column=Column(no_wrap=True)),
            console=console,
            expand=True,
            transient=True,
        )
        self._all = self._bars.add_task("", total=1, said="")
        self._runs: dict[str, TaskID] = {}
        self._failed: set[str] = set()

    def __enter__(self) -> "View":
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def show(self, state: State) -> None:
        """Show how far the launch is."""
        for name in state.failures.keys() - self._failed:
            self._bars.console.print(f"failed: {name}: {state.failures[name]}", markup=False)
            self._failed.add(name)
        for key in self._runs.keys() - {own.key for own in state.running}:
            self._bars.remove_task(self._runs.pop(key))
        for own in state.running:
            if own.key not in self._runs:
                name = _short(own.name, max(_LEAST, self._bars.console.width - _BESIDE))
                self._runs[own.key] = self._bars.add_task(name, total=own.epochs, said="")
            said = f"epoch {own.done}/{own.epochs}"
            self._bars.update(self._runs[own.key], completed=own.done, said=said)
        self._bars.update(
            self._all,
            description=f"{state.done}/{state.runs} runs{', waiting for MLflow' * state.waits}",
            completed=state.share,
            said=_times(state),
        )


def _short(name: str, width: int) -> str:
    """Return a run's name in so many characters: its levels alone, where all of it is too long."""
    if len(name) <= width:
        return name
    *factors, seed = name.split(",")
    levels = ",".join([*(own.rpartition("=")[2] for own in factors), seed])
    return levels if len(levels) <= width else f"…{levels[1 - width :]}"


def _times(state: State) -> str:
    passed = str(timedelta(seconds=round(state.seconds)))
    if state.left is None:
        return passed
    return f"{passed}, {timedelta(seconds=round(state.left))} left"
