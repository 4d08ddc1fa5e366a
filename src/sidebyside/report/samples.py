"""Grids of sample images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from sidebyside.data.arrays import ProcessedArrays
from sidebyside.errors import UserError
from sidebyside.report.pictures.runs import draw_samples

Images = Literal["train", "test"]
_MOST = 60  # rows or columns: a picture of more can't be drawn in a sensible size


def draw_sample_grid(
    arrays: ProcessedArrays,
    images: Images,
    first: int,
    rows: int,
    columns: int,
    path: Path,
    class_names: Sequence[str] = (),
) -> None:
    """Draw ``rows`` x ``columns`` images with their labels.

    Parameters
    ----------
    arrays : ProcessedArrays
    images : "train" or "test"
    first : int
        Index of the image at the top left.
    rows, columns : int
    path : pathlib.Path
        The PNG to write.
    class_names : sequence of str
        In the order of the labels; empty where classes are numbers.

    Raises
    ------
    UserError
        If the grid is too large, or there aren't that many images.
    """
    if not (1 <= rows <= _MOST and 1 <= columns <= _MOST):
        raise UserError(f"A grid of {rows}x{columns} won't do: choose 1 to {_MOST} each.")
    stored, labels = arrays.read(f"{images}_images"), arrays.read(f"{images}_classes")
    last = first + rows * columns
    if first < 0 or last > len(stored):
        raise UserError(
            f"Images {first} to {last - 1} won't do: there are {len(stored)} {images} images, "
            "counted from 0."
        )
    titles = [class_names[label] if class_names else str(label) for label in labels[first:last]]
    draw_samples(arrays.pixels(stored[first:last]), titles, rows, columns, path)
