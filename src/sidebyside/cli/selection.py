"""Options that several commands have, by which they choose a study or a run, and what they name."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sidebyside import paths
from sidebyside.cli.plans import completing
from sidebyside.config.compose import compose_config
from sidebyside.config.validate import check_dataset, check_tracking
from sidebyside.errors import UserError

if TYPE_CHECKING:
    from sidebyside.config.datasets import Dataset
    from sidebyside.data.arrays import ProcessedArrays
    from sidebyside.storage.store import Run

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_SELECTED = "default: the one that params.yaml selects"

json_option = click.option("--json", "as_json", is_flag=True, help="for programs")


class SeveralValues(click.Command):
    """A command whose options that can be repeated also take several values: ``--runs KEY KEY``."""

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        """Parse arguments in which each value has got the name of its option."""
        options = (option for option in self.params if isinstance(option, click.Option))
        names = {name for option in options if option.multiple for name in option.opts}
        return super().parse_args(context, list(_named(arguments, names)))


def _named(arguments: Sequence[str], names: set[str]) -> Iterator[str]:
    option, values = None, 0
    for argument in arguments:
        if argument.startswith("-"):
            option, values = argument if argument in names else None, 0
        elif option is not None:
            if values:
                yield option
            values += 1
        yield argument


def checked(context: click.Context, option: click.Parameter, name: str | None) -> str | None:
    """Return the value of an option that becomes part of a path, see `paths.checked_name`."""
    return paths.checked_name(str(option.name), name) if name else None


def dataset_option(command: Decorated) -> Decorated:
    """Give a command ``--dataset``."""
    return click.option(
        "--dataset", callback=checked, help=_SELECTED, shell_complete=completing.dataset
    )(command)


def study_options(command: Decorated) -> Decorated:
    """Give a command ``--study`` and ``--dataset``."""
    return click.option(
        "--study", callback=checked, help=_SELECTED, shell_complete=completing.study
    )(dataset_option(command))


def model_options(command: Decorated) -> Decorated:
    """Give a command ``--model``, ``--study`` and ``--dataset``."""
    text = (
        "a run key or its first six digits or more, an MLflow run id, or 'best' of the study, "
        "chosen by validation error"
    )
    option = click.option("--model", default="best", show_default=True, help=text)
    return option(study_options(command))


def selected(study: str | None, dataset: str | None) -> tuple[str, str]:
    """Return the names of study and dataset, those that params.yaml selects in place of None."""
    return _selected("study", study), selected_dataset(dataset)


def selected_dataset(dataset: str | None) -> str:
    """Return the name of a dataset, the one that params.yaml selects in place of None."""
    return _selected("dataset", dataset)


def _selected(kind: str, name: str | None) -> str:
    name = name or (compose_config([]).get("select") or {}).get(kind)
    if not name:
        raise UserError(
            f"No {kind} is named, and params.yaml selects none: add {kind}=NAME, or --{kind} NAME "
            f"where a command has that, or write select.{kind} there."
        )
    return name


def find(model: str, study: str | None, dataset: str | None) -> "Run":
    """Return the verified run that the `model_options` name."""
    from sidebyside.tracking.lookup import BEST, best_run, find_run

    if model != BEST:
        return find_run(model, check_tracking(compose_config([])))
    study, dataset = selected(study, dataset)
    return best_run(dataset, study)


def dataset_of(run: "Run | None", dataset: str | None) -> "Dataset":
    """Return the dataset that a run was trained on, without a run that of the name ``dataset``.

    Raises
    ------
    UserError
        If the run was trained on another one.
    """
    if run and dataset and dataset != run.recipe.dataset:
        raise UserError(
            f"Run {run.key[:12]} was trained on {run.recipe.dataset}, not on {dataset}: leave "
            "--dataset out."
        )
    name = run.recipe.dataset if run else selected_dataset(dataset)
    described = check_dataset(compose_config([f"dataset={name}"]))
    return replace(described, normalisation=run.recipe.normalisation) if run else described


def arrays_of(run: "Run | None", dataset: str | None) -> "ProcessedArrays":
    """Return the arrays of a run's dataset, without a run those of ``dataset``."""
    from sidebyside.data.prepare import prepare

    return prepare(dataset_of(run, dataset), run.recipe.data_format if run else "channels_last")
