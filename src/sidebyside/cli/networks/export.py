"""``sidebyside export``."""

from pathlib import Path

import click

from sidebyside.cli.selection import SeveralValues, arrays_of, find, model_options
from sidebyside.storage import journal

_FORMATS = ("keras", "h5", "savedmodel", "tflite")  # those of sidebyside.inference.export


@click.command("export", cls=SeveralValues)
@model_options
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(_FORMATS),
    default=["keras"],
    metavar="NAME...",
    help=f"of {', '.join(_FORMATS)}; default: keras",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default="exports",
    show_default=True,
    help="folder",
)
def command(
    model: str, study: str | None, dataset: str | None, formats: tuple[str, ...], output: Path
) -> None:
    """Write a run's network in other file formats."""
    from sidebyside.inference.load import load_network
    from sidebyside.stderr import greetings_hidden

    with greetings_hidden():
        from sidebyside.inference.export import export

    run = find(model, study, dataset)
    network, arrays = load_network(run), arrays_of(run, dataset)
    with journal.looking("export", [run.key]):
        images = arrays.read("test_images")
    for path in export(network, images, run.key[:12], formats, output):
        print(f"{path}: same labels as run {run.key[:12]} on {len(images)} test images")
