"""The networks of a variant together, beside one of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sidebyside.analysis.images import difference_over_images, error_over_images
from sidebyside.analysis.intervals import mean_estimate
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


def ensembles(evidence: Evidence, names: Sequence[str]) -> Ensembles:
    """Return the ensembles of those variants that have one."""
    known = [ensemble for ensemble in evidence.ensembles if ensemble.variant in names]
    gains = []
    for ensemble in known:
        if ensemble.members > 1:
            members, together = _wrong(ensemble, evidence)
            gains.append(100 * (members.mean(axis=0) - together))
    mean = mean_estimate(np.mean(gains, axis=0).tolist()) if gains else None
    return Ensembles(
        [_error(ensemble, evidence) for ensemble in known],
        None if mean is None else {"mean": mean.mean} | mean.named_ends(),
    )


def _error(ensemble: Ensemble, evidence: Evidence) -> EnsembleError:
    members, together = _wrong(ensemble, evidence)
    error = error_over_images(together[np.newaxis])
    gain = difference_over_images(members, together[np.newaxis])
    return EnsembleError(
        variant=ensemble.variant,
        n=ensemble.members,
        test_error=error["mean"],
        low=error["low"],
        high=error["high"],
        mean_of_members=100 * float(members.mean(axis=1).mean()),
        gain={name: gain[name] for name in ("mean", "low", "high")},
    )


def _wrong(ensemble: Ensemble, evidence: Evidence) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return whether each network is wrong, shape (runs, images), and all together, (images,)."""
    runs = evidence.of_variant(ensemble.variant)
    members = np.stack([run.predicted != evidence.target for run in runs])
    return members, ensemble.predicted != evidence.target
