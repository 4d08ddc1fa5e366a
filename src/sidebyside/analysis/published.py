"""Published figures held against runs of the published recipes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from sidebyside.analysis.intervals import MeanEstimate, difference, interval, rounding_variance
from sidebyside.analysis.verdicts import BETTER, WORSE, FigureVerdict, judge, predictions
from sidebyside.config.protocols import TEST_AS_VALIDATION
from sidebyside.storage.evidence import Evidence, RunEvidence, committed

FACTOR = "preset"  # a study over recipes varies this
CLEAN = "published_clean"  # the study of the same recipes under protocol clean
SPLIT = "published_split20"  # one recipe with validation images held out, and without

# Points: what a published figure may be off and still count as reproduced. As wide as the interval
# that 10 000 images leave to an error of 1 % (Wilson's, 0.82 to 1.22).
TOLERANCE = 0.4

_CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")  # columns of a published curve
_PRINTED = {  # other figures that a page may print, and where ours is
    "test_loss": "test loss",
    "validation_loss": "validation loss",
    "validation_accuracy": "validation accuracy",
}


@dataclass(frozen=True)
class Printed:
    """A printed figure besides the test error; ``interval`` is where one more run would be."""

    name: str
    published: float
    values: list[float]
    interval: list[float] | None

    @property
    def inside(self) -> bool | None:
        """Whether the published figure is in the interval, None where there is no interval."""
        if self.interval is None:
            return None
        return self.interval[0] <= self.published <= self.interval[1]


@dataclass(frozen=True)
class Recipe:
    """One reading of a published recipe and our runs of it.

    Attributes
    ----------
    name : str
        In the published table.
    preset : str
        The reading's preset; another one than ``name`` for further readings.
    reading : str or None
        What tells it from the others, where the page contradicts itself.
    protocol : str
    published : float
        Test error, percent.
    published_interval : list of float
        Wilson's over images, percent.
    errors, losses : list of float
        Test error (percent) and test loss of each run.
    images : int
        On which they were tested.
    prediction_of : MeanEstimate or None
        The test error of one more run, its variance moderated by all recipes.
    clean_errors : list of float
        Test errors under protocol clean; empty where those runs aren't there.
    printed : list of Printed
    curve : ndarray, shape (epochs, 4), or None
        The published learning curve: loss, accuracy, validation loss and accuracy.
    curves : ndarray, shape (runs, epochs, 4), or None
        Ours, not a number where the protocol validates on nothing.
    same_samples : dict of int
        By index of a test image whose published prediction is known, how many runs agree.
    """

    name: str
    preset: str
    reading: str | None
    protocol: str
    published: float
    published_interval: list[float]
    errors: list[float]
    losses: list[float]
    images: int
    prediction_of: MeanEstimate | None
    clean_errors: list[float]
    printed: list[Printed]
    curve: NDArray[np.float64] | None
    curves: NDArray[np.float64]
    same_samples: dict[int, int]

    @property
    def n(self) -> int:
        """The number of runs."""
        return len(self.errors)

    @property
    def prediction(self) -> list[float] | None:
        """The 95 % prediction interval of the test error of one more run."""
        return None if self.prediction_of is None else list(self.prediction_of.ends())

    @property
    def own_sd(self) -> float | None:
        """Standard deviation over seeds of these runs alone, points."""
        return float(np.std(self.errors, ddof=1)) if self.n > 1 else None

    @property
    def sd(self) -> float | None:
        """Standard deviation over seeds as moderated by all recipes, points."""
        if self.prediction_of is None:
            return None
        return self.prediction_of.error / float(np.sqrt(1 + 1 / self.n))

    @property
    def shown_within(self) -> float | None:
        """The smallest tolerance that two one-sided tests at 0.05 would show, points.

        Of this reading alone, not corrected for the others.
        """
        if self.prediction_of is None:
            return None
        low, high = (end - self.published for end in self.prediction_of.ends(0.9))
        return max(abs(low), abs(high))

    @property
    def distance(self) -> float:
        """How far the published error is from the mean of ours, points."""
        return abs(self.published - float(np.mean(self.errors)))

    @property
    def standardised(self) -> float | None:
        """Published minus mean error, in standard deviations of one more run about the mean."""
        if self.prediction_of is None or not self.prediction_of.error:
            return None
        return (self.published - self.prediction_of.mean) / self.prediction_of.error

    @property
    def curve_distance(self) -> float | None:
        """Root mean square of published minus mean error over the curve, in points.

        Training and validation error of all epochs together.
        """
        if self.curve is None:
            return None
        columns = [_CURVES.index("accuracy"), _CURVES.index("val_accuracy")]
        apart = 100 * (self.curve - self.curves.mean(axis=0))[:, columns]
        return float(np.sqrt(np.mean(apart**2)))

    @property
    def gain_of_picking(self) -> float | None:
        """Mean of last minus best epoch's test error in points, None where none was watched."""
        if self.protocol not in TEST_AS_VALIDATION:
            return None
        watched = 100 * (1 - self.curves[:, :, _CURVES.index("val_accuracy")])
        return float((watched[:, -1] - watched.min(axis=1)).mean())

    @property
    def clean_difference(self) -> dict[str, float | None] | None:
        """Mean error under protocol clean minus that under the published one, in points."""
        if not self.clean_errors:
            return None
        return difference(self.clean_errors, self.errors, rounding_variance(self.images))

    def as_json(self) -> dict[str, Any]:
        """Return the entry of ``comparison.json``."""
        return {
            "recipe": self.name,
            "preset": self.preset,
            "protocol": self.protocol,
            "published_error": self.published,
            "published_interval": self.published_interval,
            "n": self.n,
            "mean": float(np.mean(self.errors)),
            "sd": self.own_sd,
            "sd_moderated": self.sd,
            "prediction_interval": self.prediction,
            "shown_within": self.shown_within,
            "clean": interval(self.clean_errors) if self.clean_errors else None,
            "clean_minus_published_protocol": self.clean_difference,
            "standardised": self.standardised,
            "curve_distance": self.curve_distance,
            "gain_of_picking": self.gain_of_picking,
            "printed": {
                one.name: {
                    "published": one.published,
                    "mean": float(np.mean(one.values)),
                    "prediction_interval": one.interval,
                }
                for one in self.printed
            },
        }


@dataclass(frozen=True)
class Split:
    """One recipe trained on four fifths of the training images, and on all, the same seeds."""

    recipe: str
    split20: list[float]
    train60k: list[float]
    images: int

    @property
    def difference(self) -> dict[str, float | None]:
        """Test error on four fifths minus on all, percentage points, paired by seed."""
        least = rounding_variance(self.images, errors=2)
        return interval(list(np.subtract(self.split20, self.train60k)), least)


@dataclass(frozen=True)
class JudgedReading:
    """A reading of a recipe, with the recipe's verdict if no other reading is nearer."""

    recipe: Recipe
    verdict: FigureVerdict | None

    def as_json(self) -> dict[str, Any]:
        """Return the entry of ``comparison.json``."""
        found = {
            "verdict": self.verdict and self.verdict.verdict,
            "tolerance": TOLERANCE,
            "p_holm": self.verdict and self.verdict.p_holm,
            "p_within_holm": self.verdict and self.verdict.p_within_holm,
        }
        return self.recipe.as_json() | found


@dataclass(frozen=True)
class Published:
    """All published figures held against runs, which were tested on so many ``images``.

    ``verdicts`` are by recipe, whose page may contradict itself: then by all of its readings.
    """

    images: int
    recipes: list[Recipe]
    verdicts: dict[str, FigureVerdict]
    split: Split | None
    left_open: list[str]

    def readings(self, name: str) -> list[Recipe]:
        """Return the readings of a recipe whose page contradicts itself, else one."""
        return [recipe for recipe in self.recipes if recipe.name == name]

    @property
    def judged(self) -> list[JudgedReading]:
        """All readings, the nearest of each recipe with the verdict."""
        return [JudgedReading(recipe, self._verdict_at(recipe)) for recipe in self.recipes]

    def _verdict_at(self, recipe: Recipe) -> FigureVerdict | None:
        verdict = self.verdicts[recipe.name]
        nearest = self.readings(recipe.name)[verdict.nearest]
        return verdict if nearest.preset == recipe.preset else None

    @property
    def contradicted(self) -> list[str]:
        """The recipes whose published error is neither reproduced nor undecided."""
        return [name for name, found in self.verdicts.items() if found.verdict in (BETTER, WORSE)]

    def as_json(self) -> dict[str, Any]:
        """Return what ``comparison.json`` gains."""
        content: dict[str, Any] = {"published": [one.as_json() for one in self.judged]}
        if self.split:
            content["split20_minus_train60k"] = self.split.difference
        return content


@cache
def published_table() -> dict[str, Any]:
    """Return the published recipes and figures."""
    content: dict[str, Any] = yaml.safe_load(
        (files("sidebyside.analysis") / "published.yaml").read_text(encoding="utf-8")
    )
    return content


def hold_against_published(evidence: Evidence) -> Published | None:
    """Return the published figures beside the runs of their recipes.

    None unless the study varies the preset and its runs follow the published protocols. Runs of
    the two companion studies come from their committed evidence.
    """
    table = published_table()
    clean = _by_preset(committed(evidence.dataset, CLEAN))
    recipes = []
    for preset, runs in _by_preset(evidence).items():
        name = _recipe_of(preset)
        if name is None or {run.protocol for run in runs} != {table["recipes"][name]["protocol"]}:
            return None
        recipes.append(_recipe(name, preset, runs, clean.get(preset, []), evidence))
    if not recipes:
        return None
    recipes.sort(key=lambda recipe: list(table["recipes"]).index(recipe.name))
    images = len(evidence.target)
    least = rounding_variance(images)
    moderated = predictions([recipe.errors for recipe in recipes], least)
    recipes = [
        replace(recipe, prediction_of=estimate)
        for recipe, estimate in zip(recipes, moderated, strict=True)
    ]
    split = _split(committed(evidence.dataset, SPLIT))
    return Published(images, recipes, _verdicts(recipes, least), split, table["left_open"])


def _verdicts(recipes: Sequence[Recipe], least_variance: float) -> dict[str, FigureVerdict]:
    by_name: dict[str, list[Recipe]] = {}
    for recipe in recipes:
        by_name.setdefault(recipe.name, []).append(recipe)
    found = judge(
        [readings[0].published for readings in by_name.values()],
        [[reading.errors for reading in readings] for readings in by_name.values()],
        TOLERANCE,
        least_variance,
    )
    return dict(zip(by_name, found, strict=True))


def _by_preset(evidence: Evidence | None) -> dict[str, list[RunEvidence]]:
    by_preset: dict[str, list[RunEvidence]] = {}
    for run in evidence.runs if evidence else []:
        if FACTOR in run.factors:
            by_preset.setdefault(str(run.factors[FACTOR]), []).append(run)
    return by_preset


def _recipe_of(preset: str) -> str | None:
    table = published_table()
    for name, readings in table["readings"].items():
        if preset in readings:
            return str(name)
    return preset if preset in table["recipes"] else None


def _recipe(
    name: str,
    preset: str,
    runs: Sequence[RunEvidence],
    clean: Sequence[RunEvidence],
    evidence: Evidence,
) -> Recipe:
    table = published_table()
    page = table["recipes"][name]
    curve = page.get("learning_curve")
    return Recipe(
        name=name,
        preset=preset,
        reading=table["readings"].get(name, {}).get(preset),
        protocol=page["protocol"],
        published=page["test_error"],
        published_interval=page["test_error_95"],
        errors=[evidence.test_error(run) for run in runs],
        losses=[run.test_loss for run in runs],
        images=len(evidence.target),
        prediction_of=None,
        clean_errors=[evidence.test_error(run) for run in clean],
        printed=[
            _printed(words, page[field], [_own(field, run) for run in runs])
            for field, words in _PRINTED.items()
            if field in page
        ],
        curve=np.array([curve[epoch] for epoch in sorted(curve)]) if curve else None,
        curves=np.array([_curve(run) for run in runs]),
        same_samples={
            index: sum(int(run.predicted[index]) == label for run in runs)
            for index, label in page.get("sample_predictions", {}).items()
        },
    )


def _printed(name: str, published: float, values: list[float]) -> Printed:
    (found,) = predictions([values])
    return Printed(name, published, values, None if found is None else list(found.ends()))


def _own(field: str, run: RunEvidence) -> float:
    if field == "test_loss":
        return run.test_loss
    return run.history[field.replace("validation", "val")][-1]


def _curve(run: RunEvidence) -> NDArray[np.float64]:
    """Return a run's figures after each epoch, shape (epochs, 4)."""
    missing = [np.nan] * len(run.history["loss"])
    return np.array([run.history.get(name, missing) for name in _CURVES]).T


def _split(evidence: Evidence | None) -> Split | None:
    if evidence is None:
        return None
    errors = {(run.protocol, run.seed): evidence.test_error(run) for run in evidence.runs}
    seeds = sorted({run.seed for run in evidence.runs})
    paired = [s for s in seeds if {("split20", s), ("train60k", s)} <= errors.keys()]
    if not paired:
        return None
    return Split(
        recipe=str(evidence.runs[0].factors[FACTOR]),
        split20=[errors["split20", seed] for seed in paired],
        train60k=[errors["train60k", seed] for seed in paired],
        images=len(evidence.target),
    )
