"""``sidebyside predict``."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sidebyside.cli.selection import (
    SeveralValues,
    arrays_of,
    dataset_of,
    find,
    json_option,
    model_options,
)
from sidebyside.cli.tables import print_table
from sidebyside.errors import UserError
from sidebyside.storage import journal

if TYPE_CHECKING:
    from sidebyside.inference.predict import Prediction


@click.command("predict", cls=SeveralValues)
@click.argument("images", nargs=-1, type=click.Path(path_type=Path))
@click.option("--test-index", multiple=True, type=int, metavar="N...", help="test images, from 0")
@model_options
@click.option("--trust", is_flag=True, help="open a .keras or .h5 file that nothing vouches for")
@json_option
def command(
    images: tuple[Path, ...],
    test_index: tuple[int, ...],
    model: str,
    study: str | None,
    dataset: str | None,
    trust: bool,
    as_json: bool,
) -> None:
    """Say what IMAGES show: PNG, JPEG or, of digits, IDX files."""
    from sidebyside.data.image_files import are_marks, read_images
    from sidebyside.inference.load import MODEL_FILES, load_network, load_trusted
    from sidebyside.inference.predict import (
        check_dataset_fits,
        image_shape,
        normalised,
        of_test_set,
        predict,
    )

    if not images and not test_index:
        raise UserError("Nothing to predict: name image files, or test images with --test-index.")
    if not trust and Path(model).suffix in MODEL_FILES:
        raise UserError(
            f"{model} is a file that nothing vouches for: add --trust if you trust who made it."
        )
    run = None if trust else find(model, study, dataset)
    network = load_trusted(Path(model)) if run is None else load_network(run)
    shape = image_shape(network)
    described = dataset_of(run, dataset) if run or dataset or test_index else None
    if described and not run:
        check_dataset_fits(network, described)
    marks = True
    if images and described and shape[2] == 1 and described.format != "idx":  # as MNIST's are
        marks = are_marks(arrays_of(run, dataset).some_pixels())
    given = [image for path in images for image in read_images(path, shape, marks)]
    targets: list[int | None] = [None] * len(given)
    if described and described.normalisation != "scale":
        given = normalised(given, arrays_of(run, dataset))
    if test_index:
        with journal.looking("predict", [run.key] if run else []):
            of_test, labels = of_test_set(arrays_of(run, dataset), test_index, shape)
        given, targets = [*given, *of_test], [*targets, *labels]
    name = model if run is None else f"run {run.key[:12]}"
    names = described.class_names if described else ()
    predictions = predict(network, given, targets, names)
    if as_json:
        content = [prediction.as_json() for prediction in predictions]
        print(json.dumps({"model": name, "predictions": content}, indent=2))
    else:
        _print_predictions(name, predictions)


def _print_predictions(model: str, predictions: Sequence["Prediction"]) -> None:
    any_target = any(prediction.target is not None for prediction in predictions)
    rows = [
        {
            "image": prediction.image,
            "label": prediction.label,
            "probability": f"{prediction.probability:.4f}",
            **({"target": prediction.target or "-"} if any_target else {}),
            "what was done to it": "; ".join(prediction.changes) or "-",
        }
        for prediction in predictions
    ]
    print_table(f"Predicted by {model}", rows)
