"""The runs of a variant as the statistics take them: what each is worth by the metric."""

from dataclasses import dataclass

from sidebyside.analysis.intervals import rounding_variance
from sidebyside.analysis.metrics.scores import Scores
from sidebyside.config.metrics import ERROR, Metric


@dataclass(frozen=True)
class Replicate:
    """The runs of a variant.

    Attributes
    ----------
    name : str
    seeds : list of int
    values : list of float
        By the metric: test errors, percent, for instance.
    scores : ndarray, shape (runs, images)
        Whether a prediction is wrong (bool), or in the metric's unit; no images where values are
        all that is known.
    weights : list of str
        Digests of the trained weights: equal ones are the same network.
    metric : Metric
    least_variance : float or None
        Of a value, see `sidebyside.analysis.metrics.scores.least_variance`; None takes that of
        counting whole images.
    folds : int
        Of the cross-validation whose runs they are, 1 for none, see
        `sidebyside.analysis.resampled.correction`.
    """

    name: str
    seeds: list[int]
    values: list[float]
    scores: Scores
    weights: list[str]
    metric: Metric = ERROR
    least_variance: float | None = None
    folds: int = 1

    @property
    def rounding(self) -> float:
        """The variance that is left in a value whatever the runs show."""
        if self.least_variance is None:
            return rounding_variance(self.scores.shape[1])
        return self.least_variance
