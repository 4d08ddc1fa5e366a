"""Tables on the terminal, among them those that a launch prints when it ends."""

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from sidebyside import paths
from sidebyside.config.factors import level_text
from sidebyside.errors import UserError
from sidebyside.redaction import without_passwords
from sidebyside.storage.evaluations import is_evaluated, stored_evaluation
from sidebyside.storage.results import StudyRun
from sidebyside.storage.store import Run, load

if TYPE_CHECKING:
    from sidebyside.execution.launch import Launched

Cell = str | float | None

_MOST_ROWS = 64  # more runs than this are shown by variant alone
_ERROR, _LOSS = "test error %", "test loss"


def print_run(run: Run) -> None:
    """Print what came out of a run."""
    lines = [f"run {run.key[:12]} in {run.folder}", f"protocol {run.recipe.protocol}"]
    if accuracy := run.history.get("val_accuracy"):
        lines.append(f"validation error {100 * (1 - accuracy[-1]):.2f} %")
    if is_evaluated(run.key):
        evaluation = stored_evaluation(run.key)
        lines.append(
            f"test error {evaluation.test_error:.2f} %, test loss {evaluation.test_loss:.4f}"
        )
    print("\n".join(lines))


def print_launched(launched: "Launched", evaluated: bool) -> None:
    """Print how a launch ended; the program ends with 1 where a run failed.

    Where the runs are ``evaluated``, those that are here are printed with their test errors.
    """
    if evaluated:
        print_side_by_side(launched.finished)
    if launched.failures:
        failed = [run for run in launched.runs if run.key in launched.failures]
        print_failures(failed, launched.failures)
        print("MLflow has the reason of each failure as its artifact failure.txt.")
        raise SystemExit(1)


def print_side_by_side(runs: Sequence[StudyRun]) -> None:
    """Print the runs and their variants, the lowest test error first."""
    rows = sorted(map(_row, runs), key=lambda row: (row[_ERROR], row[_LOSS]))
    factors = list(runs[0].factors) if runs else []
    if "protocol" not in factors and len({row["protocol"] for row in rows}) > 1:
        factors.insert(0, "protocol")  # whoever compares the rows has to know
    if 0 < len(rows) <= _MOST_ROWS:
        columns = [*factors, "seed", _ERROR, _LOSS, "parameters", "run"]
        print_table("Runs by test error", [{name: row[name] for name in columns} for row in rows])
    if len({row["seed"] for row in rows}) > 1 and factors:
        print_table("Variants by mean test error", _by_variant(rows, factors))


def print_failures(runs: Sequence[StudyRun], failures: Mapping[str, BaseException]) -> None:
    """Print which runs failed and why."""
    rows: list[dict[str, Cell]] = [
        {
            "run": run.key[:12],
            "variant": run.variant,
            "seed": run.seed,
            "reason": _reason(failures[run.key]),
        }
        for run in runs
    ]
    print_table(f"{len(runs)} runs failed", rows)
    print("The others are finished and kept; the same command again does what is missing.")


def print_table(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows, at least one, which all have the same columns; numbers stand on the right."""
    table = Table(title=title, title_justify="left")
    for name, cell in rows[0].items():
        is_number = cell is None or isinstance(cell, int | float)
        table.add_column(name, justify="right" if is_number else "left")
    for row in rows:
        table.add_row(*(_cell_text(name, cell) for name, cell in row.items()))
    # A log has no width: there, rather long lines than cut columns.
    width = None if Console().is_terminal else 200
    Console(width=width, markup=False, emoji=False).print(table)


def _cell_text(column: str, cell: object) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:.4f}" if "loss" in column else f"{cell:.2f}"
    return str(cell)


def _row(run: StudyRun) -> dict[str, Any]:
    evaluation, trained = stored_evaluation(run.key), load(paths.run(run.key))
    return {
        "protocol": trained.recipe.protocol,
        **{name: level_text(level) for name, level in run.factors.items()},
        "variant": run.variant,
        "seed": run.seed,
        _ERROR: evaluation.test_error,
        _LOSS: evaluation.test_loss,
        "parameters": trained.parameters,
        "run": run.key[:12],
    }


def _by_variant(rows: Sequence[Mapping[str, Any]], factors: Sequence[str]) -> list[dict[str, Cell]]:
    replicates: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        replicates.setdefault(tuple(row[name] for name in [*factors, "variant"]), []).append(row)
    variants = []
    for replicate in replicates.values():
        errors = [row[_ERROR] for row in replicate]
        named: dict[str, Cell] = {name: replicate[0][name] for name in factors}
        variants.append(
            named
            | {
                "n": len(replicate),
                "mean test error %": fmean(errors),
                "sd": stdev(errors) if len(errors) > 1 else None,
                "mean test loss": fmean(row[_LOSS] for row in replicate),
            }
        )
    return sorted(variants, key=lambda row: row["mean test error %"])


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    name = type(error).__name__
    if not lines:
        return name
    said = without_passwords(lines[0])
    return said if isinstance(error, UserError) else f"{name}: {said}"
