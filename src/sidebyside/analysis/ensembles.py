"""The networks of a variant together, beside one of them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from sidebyside.analysis.images import difference_over_images, mean_over_images
from sidebyside.analysis.intervals import mean_estimate
from sidebyside.analysis.many.parallel import each
from sidebyside.analysis.metrics.scores import Scores, unit_of
from sidebyside.analysis.tables import scores_of
from sidebyside.storage.evidence import Ensemble, Evidence


@dataclass(frozen=True)
class EnsembleError:
    """The networks of a variant together: the mean of their probabilities.

    Attributes
    ----------
    variant : str
    n : int
        How many networks.
    value, low, high : float
        By the metric, with a 95 % interval over images: Wilson's of an error.
    mean_of_members : float
        Of one network.
    gain : dict
        "mean", "low" and "high" (95 %, over images, these networks) of how much better all
        together are than one network.
    """

    variant: str
    n: int
    value: float
    low: float
    high: float
    mean_of_members: float
    gain: dict[str, float]


@dataclass(frozen=True)
class Ensembles:
    """The ensembles of a study, and their mean gain over variants with several networks.

    ``mean_gain`` has "mean", "low" and "high" (95 %, over images, Student's t of the images);
    None where no variant has several networks.
    """

    variants: list[EnsembleError]
    mean_gain: dict[str, float] | None

    def as_json(self, metric: str) -> dict[str, Any]:
        """Return the entry of ``comparison.json``, values by the metric's name."""
        named = [
            {metric if name == "value" else name: own for name, own in asdict(variant).items()}
            for variant in self.variants
        ]
        return {"variants": named, "mean_gain": self.mean_gain}


def ensembles(evidence: Evidence, names: Sequence[str]) -> Ensembles:
    """Return the ensembles of those variants that have one.

    None of a metric that isn't a mean over images.
    """
    wanted = set(names)
    known = [ensemble for ensemble in evidence.ensembles if ensemble.variant in wanted]
    if not evidence.metric.by_image:
        return Ensembles([], None)
    gains = []
    for ensemble in known:
        if ensemble.members > 1:
            members, together = _scores(ensemble, evidence)
            gain = unit_of(members) * (members.mean(axis=0, dtype=float) - together)
            gains.append(-gain if evidence.metric.higher_is_better else gain)
    mean = mean_estimate(np.mean(gains, axis=0).tolist()) if gains else None
    return Ensembles(
        each(partial(_error, evidence=evidence), known),
        None if mean is None else {"mean": mean.mean} | mean.named_ends(),
    )


def _error(ensemble: Ensemble, evidence: Evidence) -> EnsembleError:
    members, together = _scores(ensemble, evidence)
    own = mean_over_images(together[np.newaxis], evidence.metric.bounds)
    assert own is not None
    both = members, together[np.newaxis]
    gain = difference_over_images(*(both[::-1] if evidence.metric.higher_is_better else both))
    return EnsembleError(
        variant=ensemble.variant,
        n=ensemble.members,
        value=own["mean"],
        low=own["low"],
        high=own["high"],
        mean_of_members=unit_of(members) * float(members.mean(axis=1, dtype=float).mean()),
        gain={name: gain[name] for name in ("mean", "low", "high")},
    )


def _scores(ensemble: Ensemble, evidence: Evidence) -> tuple[Scores, Scores]:
    """Return the scores of each network, shape (runs, images), and of all together, (images,)."""
    members = scores_of(evidence.of_ensemble(ensemble), evidence)
    return members, evidence.scores(ensemble)
