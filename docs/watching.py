"""Write by how much watching the test set flatters: python docs/watching.py.

It writes docs/watching.md and its picture, from the committed evidence of study=published and
study=published_clean on the full MNIST.
"""

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

from sidebyside.analysis.published.watching import (
    Gains,
    Mean,
    Watched,
    common_seeds,
    last_differences,
    mean_over,
    unwatched,
    watched,
)
from sidebyside.report.page.style import PAGE_STYLE, svg_text
from sidebyside.report.pictures.style import BLUE, ORANGE, legend_below, new_figure
from sidebyside.report.text.markdown import table
from sidebyside.report.text.numbers import count_text, signed, signed_estimate
from sidebyside.storage.evidence import Evidence
from sidebyside.storage.evidence_files import read_evidence

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / "reports" / "mnist"
PAGE, PICTURE = (Path(__file__).with_name(f"watching.{ending}") for ending in ("md", "svg"))

_HEAD = """# What "best epoch by test error" flatters

Written by `python docs/watching.py`, from the evidence committed in
[reports/mnist/published/](../reports/mnist/published/comparison.md) and
[reports/mnist/published_clean/](../reports/mnist/published_clean/comparison.md).

A tutorial that passes the test images as validation data prints a test error after each epoch.
Whoever reports the lowest of them reports a minimum of several noisy numbers. These recipes were
trained as published, several seeds of each, with the test error after every epoch; the lowest of a
run's epochs is compared here with the same run's error

- **after the last epoch**, whose number the recipe names before anybody looks;
- **at the epoch that held-out images choose**: where the run of the same seed under protocol
  [clean](published.md), trained on five sixths of the training images, has its lowest error on the
  other sixth. No test image has a part in that choice;
- **at the epoch that the other seeds choose**: where the mean test error of all other runs of the
  recipe is lowest.

The first difference is what the habit makes an error look better than the recipe's. The others say
what of it is selection and not learning: had training been too long, held-out images and the other
seeds would say so as well, and stopping there would help the next run. What a run's own minimum
gains beyond that is luck with these images at that epoch. The other seeds were tried on the same
images, so it is selection at the least; and they choose for each other, so that these gains have a
mean but no interval.
"""
_TABLE = """
## By recipe

Errors in percent, gains of the lowest in points: over the last epoch, the epoch that held-out
images choose, and the one that the other seeds choose. Several readings of one page are a recipe
each. All are means over n seeds, which are few, with Student's 95 % interval. No gain can be below
0, though an interval may be. A gain that is 0 in all runs has the interval that counting whole
images leaves.
"""


def page(evidence: Evidence, clean: Evidence | None) -> str:
    """Return the page.

    Parameters
    ----------
    evidence : Evidence
        Of the recipes as published.
    clean : Evidence or None
        Of the same recipes under protocol clean.
    """
    recipes = watched(evidence, clean)
    parts = [_HEAD, _findings(recipes), _TABLE, table([_row(recipe) for recipe in recipes])]
    parts += ["\n![What the lowest test error of a run's epochs gains](watching.svg)\n"]
    return "\n".join([*parts, _limits(evidence, recipes), ""])


def _findings(recipes: Sequence[Watched]) -> str:
    """Return what the table comes to, in sentences."""
    runs = sum(len(recipe.seeds) for recipe in recipes)
    largest = max(recipes, key=lambda recipe: float(np.mean(list(recipe.over_last.values()))))
    sentences = [
        "Over the last epoch the lowest test error of a run gains "
        f"{_points(mean_over(recipes, lambda recipe: recipe.over_last))} points on average over "
        f"{len(recipes)} recipes (95 %, over {_seeds(recipes, lambda own: own.over_last)} that all "
        "have, each of which counts once); in "
        f"{sum(map(_lower, recipes))} of {runs} runs another epoch has a lower error than the "
        "last.",
        f"The most it gains is {_points(largest.mean(largest.over_last))} points, of "
        f"{largest.preset}, the largest of {len(recipes)}: neither mean nor interval is corrected "
        "for that choice.",
        _of_selection(recipes),
    ]
    return _filled(sentences)


def _of_selection(recipes: Sequence[Watched]) -> str:
    """Return whether the next run would gain too, by the epoch that held-out images choose."""
    honest = [recipe for recipe in recipes if recipe.held_out]
    learned = mean_over(honest, lambda recipe: recipe.held_out_over_last)
    if learned is None or learned["low"] is None or learned["high"] is None:
        return ""
    said = (
        f"The epoch that held-out images choose gains {_points(learned)} points over the last one "
        f"on average over the recipes ({_seeds(honest, lambda own: own.over_held_out)}), and a "
        f"run's own lowest error {_points(mean_over(honest, lambda own: own.over_held_out))} over "
        "that epoch"
    )
    if learned["low"] > 0:
        return f"{said}: the first is learning, as the next run would gain it too."
    if learned["high"] < 0:
        return f"{said}: stopping there is worse than not stopping, so the gain is selection."
    return f"{said}: that stopping there helps the next run isn't shown."


def _seeds(recipes: Sequence[Watched], gains: Callable[[Watched], Gains]) -> str:
    return f"{len(common_seeds(recipes, gains))} seeds"


def _lower(recipe: Watched) -> int:
    """Return how many runs have a lower error than after the last epoch."""
    return sum(gain > 0 for gain in recipe.over_last.values())


def _row(recipe: Watched) -> dict[str, str]:
    return {
        "recipe": recipe.preset,
        "epochs": str(recipe.errors.shape[1]),
        "n": str(len(recipe.seeds)),
        "last epoch %": f"{recipe.errors[:, -1].mean():.2f}",
        "lowest %": f"{recipe.lowest.mean():.2f}",
        "gain over last": _points(recipe.mean(recipe.over_last)),
        "over held-out": _with_n(recipe, recipe.over_held_out),
        "over others": _mean(recipe.mean(recipe.over_others)),
    }


def _with_n(recipe: Watched, gains: Gains) -> str:
    """Return a gain with the number of runs that it is of, where these aren't all."""
    said = _points(recipe.mean(gains))
    return said if len(gains) in (0, len(recipe.seeds)) else f"{said}, n={len(gains)}"


def _mean(gain: Mean | None) -> str:
    return signed(None if gain is None else gain["mean"])


def _points(gain: Mean | None) -> str:
    return signed_estimate(gain)


def _limits(evidence: Evidence, recipes: Sequence[Watched]) -> str:
    """Return what the evidence doesn't hold, and how it was checked."""
    others = [f"{preset} ({protocol})" for preset, protocol in unwatched(evidence).items()]
    apart, without = last_differences(evidence), [own.preset for own in recipes if not own.held_out]
    sentences = [
        "An epoch's test error comes from the validation accuracy that Keras computed after it on "
        f"the {count_text(len(evidence.target))} test images; of each run's last epoch it differs "
        f"from the error in the report by {apart or 'no'} images{' at most' if apart else ''}.",
        f"The evidence holds no test error by epoch of {' and '.join(others)}, as these protocols "
        "show no test image while they train: they aren't in the table."
        if others
        else "",
        "No epoch was chosen by held-out images, as there is no run under protocol clean, for "
        f"{', '.join(without)}."
        if without
        else "",
        "The seeds of a recipe are tried on the same images: the intervals are for other seeds, "
        "not for other images.",
    ]
    return _filled(sentences)


def _filled(sentences: Sequence[str]) -> str:
    text = " ".join(sentence for sentence in sentences if sentence)
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)


def picture(recipes: Sequence[Watched]) -> str:
    """Return the gains of all runs with their means and intervals, as SVG."""
    with mpl.rc_context(PAGE_STYLE):
        figure = new_figure(7.2, 1.3 + 0.5 * len(recipes))
        axes = figure.add_subplot()
        for row, recipe in enumerate(recipes):
            for place, (label, color, gains) in enumerate(
                (
                    ("over the last epoch", BLUE, recipe.over_last),
                    ("over held-out images' epoch", ORANGE, recipe.over_held_out),
                )
            ):
                gain, height = recipe.mean(gains) or {}, row + 0.26 * (place - 0.5)
                axes.plot(
                    [*gains.values()], [height] * len(gains), "o", color=color, ms=3.5, alpha=0.35
                )
                known = [
                    value for value in map(gain.get, ("low", "high", "mean")) if value is not None
                ]
                if len(known) == 3:
                    *ends, mean = known
                    axes.plot(ends, [height] * 2, color=color, lw=1.6)
                    said = f"{label}: mean and 95 % interval, dots are runs"
                    axes.plot(mean, height, "D", color=color, ms=5, label=said)
        axes.axvline(0, color="black", lw=0.8)
        labels = [recipe.preset for recipe in recipes]
        axes.set_yticks(range(len(recipes)), labels)
        axes.set_ylim(len(recipes) - 0.5, -0.5)
        axes.set_xlabel("gain of the lowest test error of a run's epochs, in points")
        axes.grid(axis="y", visible=False)
        legend_below(figure, axes, columns=1)
        return svg_text(figure)


def main() -> None:
    """Write both files."""
    evidence, clean = (
        read_evidence(REPORTS / name / "evidence.npz") if (REPORTS / name).is_dir() else None
        for name in ("published", "published_clean")
    )
    assert evidence is not None
    PAGE.write_text(page(evidence, clean))
    PICTURE.write_text(picture(watched(evidence, clean)))


if __name__ == "__main__":
    main()
