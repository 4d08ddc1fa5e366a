"""Evidence: what of a study's runs makes all of its report again."""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside.config.factors import Level
from sidebyside.config.metrics import ERROR, Metric
from sidebyside.config.protocols import folds_of

UNTESTED = -1  # stands for the certainty of an image that is in another fold than the run's


@dataclass(frozen=True)
class RunEvidence:
    """What a report needs to know of one run.

    Attributes
    ----------
    key : str
        The run key.
    variant : str
    factors : dict
        Level of each factor.
    seed : int
    identity : dict
        Everything that decided the result, see `sidebyside.storage.keys.identity`.
    parameters : int
        Number of weights.
    weights_digest : str
        See `sidebyside.engine.training.fit.weights_digest`.
    history : dict of list of float
        Figures after each epoch.
    test_loss : float
        Mean categorical cross-entropy, in nats.
    layout : dict or None
        The network against itself in the other data format, see
        `sidebyside.engine.scoring.layout_check.LayoutCheck`.
    predicted : ndarray of uint8, shape (images,)
        The predicted class of each test image.
    certainty : ndarray of float16, shape (images,)
        The probability that the network gave each image's true class; `UNTESTED` for the images
        that didn't test the run, under cross-validation.
    digests : list of str
        The weights digest after each epoch; none in evidence from before they were kept.
    value : float or None
        By the study's metric; None where that is the error, which the predictions tell.
    scores : ndarray or None
        Of each image by the study's metric, see `sidebyside.analysis.metrics.scores`; shape
        (images,), 0 for those that didn't test the run, or (0,) for a metric that is no mean over
        images. None as ``value`` is.
    others : dict of float
        The run's value by other metrics, which are tabled without claims; empty for none.
    """

    key: str
    variant: str
    factors: dict[str, Level]
    seed: int
    identity: dict[str, Any]
    parameters: int
    weights_digest: str
    history: dict[str, list[float]]
    test_loss: float
    layout: dict[str, Any] | None
    predicted: NDArray[np.uint8]
    certainty: NDArray[np.float16]
    digests: list[str] = field(default_factory=list)
    value: float | None = None
    scores: NDArray[Any] | None = None
    others: dict[str, float] = field(default_factory=dict)

    @property
    def recipe(self) -> dict[str, Any]:
        """The config that decided the result."""
        recipe: dict[str, Any] = self.identity["recipe"]
        return recipe

    @property
    def protocol(self) -> str:
        """Who saw which images."""
        return str(self.recipe["protocol"])

    @property
    def diverged(self) -> bool:
        """Whether its loss was no number after an epoch, and it counts all the same."""
        return not all(math.isfinite(loss) for loss in self.history.get("loss", []))

    @property
    def tested(self) -> NDArray[np.bool_]:
        """Which images tested it: all of them, or those of its fold."""
        return self.certainty != UNTESTED


@dataclass(frozen=True)
class Ensemble:
    """The networks of a variant together: the class with the highest mean probability.

    Attributes
    ----------
    variant : str
    keys : tuple of str
        Of the runs whose networks they are: of a study that was finished in pieces not all.
    predicted : ndarray of uint8, shape (images,)
    scores : ndarray or None
        Of each image by the study's metric, as those of runs.
    """

    variant: str
    keys: tuple[str, ...]
    predicted: NDArray[np.uint8]
    scores: NDArray[Any] | None = None

    @property
    def members(self) -> int:
        """How many networks."""
        return len(self.keys)


@dataclass(frozen=True)
class Evidence:
    """The runs of a study and the targets of the test images.

    Under cross-validation these are the training images, and each fold of them tests a run.

    Attributes
    ----------
    dataset, study : str
    runs : list of RunEvidence
        In the order of the study's grid.
    target : ndarray of uint8, shape (images,)
    samples : ndarray of uint8, shape (n, height, width)
        The first training images, 255 is white.
    sample_labels : ndarray of uint8, shape (n,)
    missing : list of str
        Runs of the study that aren't finished.
    ensembles : list of Ensemble
        One per variant; evidence finished in pieces keeps those of its larger pieces.
    gallery_index : ndarray of int32, shape (k,)
        The test images that the variants disagree on most.
    gallery : ndarray of uint8, shape (k, height, width)
        Those images, 255 is white.
    stopping : dict or None
        The rule by which seeds were added, see `sidebyside.storage.rules`.
    metric : Metric
        What runs are judged by.
    margin : float or None
        The largest difference that didn't matter when the report was made; None for the error.
    leaked : ndarray of int32
        The test images, by index, that are among the training images too.
    """

    dataset: str
    study: str
    runs: list[RunEvidence]
    target: NDArray[np.uint8]
    samples: NDArray[np.uint8]
    sample_labels: NDArray[np.uint8]
    missing: list[str]
    ensembles: list[Ensemble]
    gallery_index: NDArray[np.int32]
    gallery: NDArray[np.uint8]
    stopping: dict[str, Any] | None = None
    metric: Metric = ERROR
    margin: float | None = None
    leaked: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))

    @property
    def independent(self) -> bool:
        """Whether each variant has seeds of its own, numbered alike but not the same."""
        return any(run.seed != run.recipe.get("seed", run.seed) for run in self.runs)

    @property
    def folds(self) -> int:
        """How many folds the images are in; 1 where all of them test each run."""
        return folds_of(self.runs[0].protocol)

    def test_error(self, run: RunEvidence) -> float:
        """Return the wrong predictions of a run, percent of all that it made."""
        if id(run) not in self._errors:
            wrong = (run.predicted != self.target)[run.tested]
            self._errors[id(run)] = run, round(100 * float(wrong.mean()), 6)
        return self._errors[id(run)][1]

    def value(self, run: RunEvidence) -> float:
        """Return what a run is judged by, in the unit of the study's metric."""
        return self.test_error(run) if run.value is None else run.value

    def scores(self, judged: RunEvidence | Ensemble) -> NDArray[Any]:
        """Return the score of each image: whether it is wrong, or in the unit of the metric."""
        return judged.predicted != self.target if judged.scores is None else judged.scores

    def confusion(self, run: RunEvidence) -> NDArray[Any]:
        """Return the number of images by target (row) and predicted class (column)."""
        confusion = np.zeros((self._classes, self._classes), int)
        np.add.at(confusion, (self.target[run.tested], run.predicted[run.tested]), 1)
        return confusion

    @cached_property
    def _classes(self) -> int:
        """As many for all runs, so that their matrices can be added."""
        return 1 + max(int(self.target.max()), *(int(each.predicted.max()) for each in self.runs))

    @cached_property
    def _errors(self) -> dict[int, tuple[RunEvidence, float]]:
        """By the place in memory of a run, which is kept there: it is asked for often."""
        return {}

    def of_variant(self, name: str) -> list[RunEvidence]:
        """Return the replicate of a variant."""
        return list(self._by_variant.get(name, []))

    def of_ensemble(self, ensemble: Ensemble) -> list[RunEvidence]:
        """Return the runs whose networks are in an ensemble."""
        return [run for run in self.of_variant(ensemble.variant) if run.key in ensemble.keys]

    @cached_property
    def _by_variant(self) -> dict[str, list[RunEvidence]]:
        by_variant: dict[str, list[RunEvidence]] = {}
        for run in self.runs:
            by_variant.setdefault(run.variant, []).append(run)
        return by_variant
