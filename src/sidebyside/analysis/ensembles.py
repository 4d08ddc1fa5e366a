"""The networks of a variant together, beside one of them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from statsmodels.stats.proportion import proportion_confint

from sidebyside.analysis.images import difference_over_images
from sidebyside.analysis.intervals import CONFIDENCE, mean_estimate
from sidebyside.storage.evidence import Ensemble, Evidence


@dataclass(frozen=True)
class EnsembleError:
    """The networks of a variant together: the class with the highest mean probability.

    Attributes
    ----------
    variant : str
    n : int
        How many networks.
    test_error, low, high : float
        Percent, with Wilson's 95 % interval over images.
    mean_of_members : float
        Test error of one network, percent.
    gain : dict
        "mean", "low" and "high" (95 %, over images, these networks) of one network's error minus
        that of all together, points.
    """

    variant: str
    n: int
    test_error: float
    low: float
    high: float
    mean_of_members: float
    gain: dict[str, float]


@dataclass(frozen=True)
class Ensembles:
    """The ensembles of a study, and their mean gain over variants with several networks.

    ``mean_gain`` has "mean", "low" and "high" (95 %, over images, Student's t of the images), in
    points; None where no variant has several networks.
    """

    variants: list[EnsembleError]
    mean_gain: dict[str, float] | None

    def as_json(self) -> dict[str, Any]:
        """Return the entry of ``comparison.json``."""
        return asdict(self)


def ensembles(evidence: Evidence, names: Sequence[str]) -> Ensembles:
    """Return the ensembles of those variants that have one."""
    known = [ensemble for ensemble in evidence.ensembles if ensemble.variant in names]
    gains = [_gain_by_image(one, evidence) for one in known if one.members > 1]
    found = mean_estimate(np.mean(gains, axis=0).tolist()) if gains else None
    mean_gain = None
    if found is not None:
        mean_gain = {"mean": found.mean} | found.named_ends()
    return Ensembles([_error(one, evidence) for one in known], mean_gain)


def _error(ensemble: Ensemble, evidence: Evidence) -> EnsembleError:
    images = len(evidence.target)
    wrong = ensemble.predicted != evidence.target
    low, high = proportion_confint(int(wrong.sum()), images, 1 - CONFIDENCE, method="wilson")
    runs = evidence.of_variant(ensemble.variant)
    members = np.stack([run.predicted != evidence.target for run in runs])
    gain = difference_over_images(members, wrong[np.newaxis])
    return EnsembleError(
        variant=ensemble.variant,
        n=ensemble.members,
        test_error=100 * float(wrong.mean()),
        low=100 * float(low),
        high=100 * float(high),
        mean_of_members=float(np.mean([evidence.test_error(run) for run in runs])),
        gain={name: gain[name] for name in ("mean", "low", "high")},
    )


def _gain_by_image(ensemble: Ensemble, evidence: Evidence) -> np.ndarray[Any, np.dtype[np.float64]]:
    runs = evidence.of_variant(ensemble.variant)
    members = np.mean([run.predicted != evidence.target for run in runs], axis=0)
    gain: np.ndarray[Any, np.dtype[np.float64]] = 100 * (
        members - (ensemble.predicted != evidence.target)
    )
    return gain
