"""Pictures of one run: its confusion matrix, samples of its images.

They are drawn where networks are trained, so nothing here needs pandas or statistics.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from sidebyside.report.pictures.style import STYLE, new_figure, save

_SHORT = 3  # letters of a title that has room above an image


def draw_confusion(
    confusion: Sequence[Sequence[int]],
    title: str,
    path: Path,
    class_names: Sequence[str] = (),
) -> None:
    """Draw a confusion matrix: targets down, predictions across, only errors coloured.

    Parameters
    ----------
    confusion : sequence of sequence of int, shape (classes, classes)
        Images by target and prediction.
    title : str
    path : pathlib.Path
        The PNG to write.
    class_names : sequence of str
        In the order of the labels; empty where classes are numbers.
    """
    counts = np.asarray(confusion)
    errors = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    with mpl.rc_context(STYLE):
        figure = new_figure(6, 6)
        axes = figure.add_subplot()
        axes.imshow(errors, cmap="Oranges", vmax=max(errors.max(), 1) * 1.4)
        strong = errors.max() * 0.9
        for (row, column), count in np.ndenumerate(counts):
            if count:
                bold = "bold" if row == column else "normal"
                color = "white" if errors[row, column] > strong > 3 else "black"
                axes.text(
                    column,
                    row,
                    str(count),
                    ha="center",
                    va="center",
                    size=8,
                    weight=bold,
                    color=color,
                )
        names = list(class_names) or [str(label) for label in range(len(counts))]
        axes.set_xticks(range(len(counts)), names)
        if class_names:  # too long for a column
            for text in axes.get_xticklabels():
                text.set(rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(counts)), names)
        axes.set_xlabel("predicted")
        axes.set_ylabel("target")
        axes.grid(visible=False)
        axes.set_title(title, size=9, wrap=True)
        save(figure, path)


def draw_samples(
    images: NDArray[Any], titles: Sequence[str], rows: int, columns: int, path: Path
) -> None:
    """Draw a grid of the first images, each with its title.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, height, width) or (N, height, width, 3)
        From 0, black, to the largest value, white; grey ones are drawn dark on light.
    titles : sequence of str
    rows, columns : int
    path : pathlib.Path
        The PNG to write.
    """
    size = 9 if max(map(len, titles), default=0) <= _SHORT else 6
    with mpl.rc_context(STYLE | {"axes.grid": False}):
        figure = new_figure(0.8 * columns, 0.95 * rows)
        panels = figure.subplots(rows, columns, squeeze=False)
        for panel, image, title in zip(panels.flat, images, titles, strict=False):
            panel.imshow(image, cmap="gray_r")
            panel.set_title(title, size=size, loc="center")
        for panel in panels.flat:
            panel.axis("off")
            panel.yaxis.set_visible(False)  # or its ticks are laid out, most of the time it takes
        save(figure, path)
