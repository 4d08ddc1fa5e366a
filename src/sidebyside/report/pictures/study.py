"""Pictures of a study, and of published figures against runs of their recipes."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from sidebyside.analysis.published.recipes import Published, Recipe
from sidebyside.report.comparison import Comparison
from sidebyside.report.pictures.runs import draw_confusion, draw_samples
from sidebyside.report.pictures.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    STYLE,
    legend_below,
    log_by_epoch,
    new_figure,
    save,
)
from sidebyside.report.text.numbers import counted
from sidebyside.storage.evidence import Evidence

_SAMPLES = (4, 10)  # rows and columns of the grid of digits
_COLUMNS = 4  # recipes beside each other in the picture of curves
_ROWS_APART = 0.22  # of our runs from those under clean, in rows


def draw_pictures(
    comparison: Comparison, evidence: Evidence, class_names: Sequence[str] = ()
) -> None:
    """Draw those pictures of a report that the page doesn't have.

    Parameters
    ----------
    comparison : Comparison
    evidence : Evidence
    class_names : sequence of str
        In the order of the labels; empty where classes are numbers.
    """
    folder, variants = comparison.folder, comparison.content["variants"]
    metric = evidence.metric
    best = min(variants, key=lambda variant: metric.rank(variant[metric.name]["mean"]))
    confusion = np.sum([evidence.confusion(run) for run in evidence.of_variant(best["name"])], 0)
    title = f"Best variant, {counted(best['n'], 'run')} together: {best['name'].replace(',', ', ')}"
    draw_confusion(confusion, title, folder / "confusion_best.png", class_names)
    titles = [class_names[n] if class_names else str(n) for n in evidence.sample_labels]
    draw_samples(evidence.samples, titles, *_SAMPLES, folder / "samples.png")
    if comparison.published:
        draw_published(comparison.published, folder / "published.png")
        draw_published_curves(comparison.published, folder / "published_curves.png")


def draw_published(published: Published, path: Path) -> None:
    """Draw each published error with our runs, one row per recipe.

    Parameters
    ----------
    published : Published
    path : pathlib.Path
        The PNG to write.
    """
    recipes = published.recipes
    with mpl.rc_context(STYLE):
        figure = new_figure(9.5, 1.7 + 0.55 * len(recipes))
        axes = figure.add_subplot()
        limit = 1.3 * max(max(*r.errors, *r.clean_errors, r.published) for r in recipes)
        for row, recipe in enumerate(recipes):
            _draw_recipe(axes, row, recipe, limit)
        axes.set_yticks(range(len(recipes)), [_row_label(recipe) for recipe in recipes], size=9)
        axes.set_ylim(len(recipes) - 0.4, -0.6)
        axes.set_xlim(0, limit)
        axes.set_xlabel("test error in %")
        axes.set_title("Published figures against our runs of the same recipes", loc="left")
        axes.grid(axis="y", visible=False)
        legend_below(figure, axes)
        save(figure, path)


def _draw_recipe(axes: Axes, row: int, recipe: Recipe, limit: float) -> None:
    if recipe.prediction:
        low, high = np.clip(recipe.prediction, 0, limit)
        label = "one more run, 95 %"
        axes.plot([low, high], [row, row], color=BLUE, lw=6, alpha=0.25, label=label)
    runs = [row] * recipe.n
    axes.plot(recipe.errors, runs, "o", color=BLUE, ms=5, alpha=0.8, label="our runs", ls="none")
    if recipe.clean_errors:
        below = [row + _ROWS_APART] * len(recipe.clean_errors)
        label = "our runs under protocol clean"
        axes.plot(recipe.clean_errors, below, "x", color=GREEN, ms=5, label=label, ls="none")
    above = row - _ROWS_APART
    low, high = recipe.published_interval
    label = "its 95 % interval over images"
    axes.plot([low, high], [above, above], color=ORANGE, lw=1.2, label=label)
    axes.plot(recipe.published, above, "D", color=ORANGE, ms=6, label="published", ls="none")


def _row_label(recipe: Recipe) -> str:
    second = recipe.reading or recipe.protocol
    return f"{recipe.name}\n{second}, n={recipe.n}"


def draw_published_curves(published: Published, path: Path) -> None:
    """Draw published learning curves over ours: errors above, cross-entropy below.

    Parameters
    ----------
    published : Published
    path : pathlib.Path
        The PNG to write; nothing is drawn where no page shows a curve.
    """
    shown = [recipe for recipe in published.recipes if recipe.curve is not None]
    if not shown:
        return
    columns = min(_COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    with mpl.rc_context(STYLE):
        figure = new_figure(2.9 * columns + 0.6, 4.9 * rows + 0.5)
        panels = figure.subplots(2 * rows, columns, sharey="row", squeeze=False)
        for number, recipe in enumerate(shown):
            row, column = divmod(number, columns)
            above, below = panels[2 * row, column], panels[2 * row + 1, column]
            _draw_curves([above, below], recipe)
            above.set_title(f"{recipe.name}\n{recipe.reading or recipe.protocol}", size=8)
            below.set_xlabel("epoch")
        for panel in panels.flat:
            panel.set_visible(panel.has_data())
        for row in range(rows):
            panels[2 * row, 0].set_ylabel("error in %")
            panels[2 * row + 1, 0].set_ylabel("cross-entropy in nats")
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
        save(figure, path)


def _draw_curves(panels: Sequence[Axes], recipe: Recipe) -> None:
    assert recipe.curve is not None
    for axes, (training, validation), as_error in (
        (panels[0], (1, 3), True),
        (panels[1], (0, 2), False),
    ):
        for column, color, name in ((training, GREY, "training"), (validation, BLUE, "validation")):
            ours, theirs = recipe.curves[:, :, column], recipe.curve[:, column]
            if as_error:
                ours, theirs = 100 * (1 - ours), 100 * (1 - theirs)
            _draw_band(axes, ours, theirs, color, name)
        log_by_epoch(axes)


def _draw_band(
    axes: Axes, ours: NDArray[np.float64], theirs: NDArray[np.float64], color: str, name: str
) -> None:
    epochs = np.arange(1, len(theirs) + 1)
    axes.plot(epochs, ours.mean(axis=0), color=color, lw=1.6, label=f"ours, {name} images")
    axes.fill_between(epochs, ours.min(axis=0), ours.max(axis=0), color=color, alpha=0.25, lw=0)
    fill = "none" if name == "training" else ORANGE
    label = f"published, {name} images"
    axes.plot(epochs, theirs, "D", ms=3.5, mec=ORANGE, mfc=fill, ls="none", label=label)
