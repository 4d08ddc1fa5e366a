"""Published recipes, each with our runs of it and what they say of the published figures."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside.analysis.intervals import MeanEstimate, difference, interval, rounding_variance
from sidebyside.analysis.published.verdicts import BETTER, DIFFERS, WORSE, FigureVerdict
from sidebyside.config.protocols import TEST_AS_VALIDATION

# Points: what a published figure may be off and still count as reproduced. As many as the interval
# is wide that 10 000 images leave to an error of 1 % (Wilson's, 0.82 to 1.22), so twice what they
# leave on either side. It was set after five runs of each recipe, and reports say so.
TOLERANCE = 0.4

CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")  # columns of a published curve


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
    curves : ndarray, shape (runs, epochs, 4)
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
    def mean(self) -> float:
        """The mean test error, percent."""
        return float(np.mean(self.errors))

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
        return abs(self.published - self.mean)

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
        columns = [CURVES.index("accuracy"), CURVES.index("val_accuracy")]
        apart = 100 * (self.curve - self.curves.mean(axis=0))[:, columns]
        return float(np.sqrt(np.mean(apart**2)))

    @property
    def gain_of_picking(self) -> float | None:
        """Mean of last minus best epoch's test error in points, None where none was watched."""
        if self.protocol not in TEST_AS_VALIDATION:
            return None
        watched = 100 * (1 - self.curves[:, :, CURVES.index("val_accuracy")])
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
            "mean": self.mean,
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
                figure.name: {
                    "published": figure.published,
                    "mean": float(np.mean(figure.values)),
                    "prediction_interval": figure.interval,
                }
                for figure in self.printed
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
        judged = {
            "verdict": self.verdict and self.verdict.verdict,
            "tolerance": TOLERANCE,
            "p_holm": self.verdict and self.verdict.p_holm,
            "p_within_holm": self.verdict and self.verdict.p_within_holm,
        }
        return self.recipe.as_json() | judged


@dataclass(frozen=True)
class Published:
    """All published figures held against runs, which were tested on so many ``images``.

    ``verdicts`` are by recipe, whose page may contradict itself: then by all of its readings;
    ``within_half`` is how many would be shown to be within half the tolerance.
    """

    images: int
    recipes: list[Recipe]
    verdicts: dict[str, FigureVerdict]
    within_half: int
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
        return [
            name
            for name, judged in self.verdicts.items()
            if judged.verdict in (BETTER, WORSE, DIFFERS)
        ]

    def as_json(self) -> dict[str, Any]:
        """Return what ``comparison.json`` gains."""
        content: dict[str, Any] = {"published": [reading.as_json() for reading in self.judged]}
        if self.split:
            content["split20_minus_train60k"] = self.split.difference
        return content
