"""``sidebyside samples``."""

from pathlib import Path
from typing import Literal

import click
from omegaconf import DictConfig

from sidebyside.cli.selection import checked, dataset_option, selected_dataset
from sidebyside.config.compose import compose_config
from sidebyside.config.validate import check_dataset, check_tracking
from sidebyside.errors import UserError
from sidebyside.storage import journal


@click.command("samples")
@click.option("--rows", type=int, default=4, show_default=True)
@click.option("--columns", type=int, default=10, show_default=True)
@dataset_option
@click.option("--images", type=click.Choice(["train", "test"]), default="train", show_default=True)
@click.option("--first", type=int, default=0, help="index of the first image, from 0")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default="samples.png",
    show_default=True,
    help="PNG to write",
)
@click.option(
    "--study", callback=checked, help="also make it an artifact of this study's parent run"
)
def command(
    rows: int,
    columns: int,
    dataset: str | None,
    images: Literal["train", "test"],
    first: int,
    output: Path,
    study: str | None,
) -> None:
    """Draw a grid of sample images."""
    from sidebyside.data.prepare import prepare
    from sidebyside.report.samples import draw_sample_grid

    name = selected_dataset(dataset)
    config = compose_config([f"dataset={name}"])
    described = check_dataset(config)
    arrays = prepare(described, "channels_last")
    output.parent.mkdir(parents=True, exist_ok=True)
    with journal.looking("samples"):
        draw_sample_grid(arrays, images, first, rows, columns, output, described.class_names)
    print(f"{rows}x{columns} {images} images: {output}")
    if study:
        _log_to_parent(study, name, config, output)


def _log_to_parent(study: str, dataset: str, config: DictConfig, path: Path) -> None:
    from sidebyside.tracking.client import Tracker

    tracker = Tracker(check_tracking(config))
    tracker.prepare()
    parent = tracker.find_parent(study, dataset)
    if parent is None:
        raise UserError(
            f"study={study} on dataset={dataset} has no parent run in MLflow yet: run the study "
            "first."
        )
    tracker.log_file(parent, path)
    print(f"logged to MLflow's run {parent}")
