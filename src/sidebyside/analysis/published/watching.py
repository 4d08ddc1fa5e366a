"""What picking the epoch by its test error is worth, where a protocol shows the test images.

A run whose protocol validates on the test images has a test error after each epoch. The lowest of
them is compared with that of an epoch which was chosen without a look at the run's own test errors.
What such an epoch gains over the last one is learning, as the next run would gain it too; what the
lowest gains over such an epoch is selection.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sidebyside.analysis.intervals import interval, rounding_variance
from sidebyside.analysis.published.holding import by_preset
from sidebyside.config.protocols import TEST_AS_VALIDATION
from sidebyside.storage.evidence import Evidence, RunEvidence

_FIGURE = "val_accuracy"

Gains = dict[int, float]  # by seed, in points
Mean = dict[str, float | None]  # with sd, low and high over seeds


@dataclass(frozen=True)
class Watched:
    """The runs of a recipe with their test errors by epoch.

    Attributes
    ----------
    preset, protocol : str
    seeds : list of int
    errors : ndarray, shape (runs, epochs)
        Test error after each epoch, percent.
    images : int
        On which they were tested.
    held_out : dict of int
        By seed the epoch, from 0, with the lowest validation error of the run under protocol clean,
        which validates on held-out training images; of those seeds that have such a run.
    """

    preset: str
    protocol: str
    seeds: list[int]
    errors: NDArray[np.float64]
    images: int
    held_out: dict[int, int] = field(default_factory=dict)

    @property
    def lowest(self) -> NDArray[np.float64]:
        """Of each run the lowest test error of its epochs."""
        least: NDArray[np.float64] = self.errors.min(axis=1)
        return least

    @property
    def over_last(self) -> Gains:
        """What the lowest gains over the last epoch, which the recipe names."""
        return self._gains(self.errors[:, -1] - self.lowest)

    @property
    def over_held_out(self) -> Gains:
        """What it gains over the epoch that held-out images chose, where there are any."""
        return self._held_out_beside(self.lowest)

    @property
    def held_out_over_last(self) -> Gains:
        """What the epoch that held-out images chose gains over the last."""
        worse = self._held_out_beside(self.errors[:, -1])
        return {seed: 0.0 - gain for seed, gain in worse.items()}

    @property
    def over_others(self) -> Gains:
        """What it gains over the epoch that the other seeds choose; none for a single run.

        Runs choose for each other, so these gains aren't independent: Student's interval of their
        mean would be too narrow, though the mean is right.
        """
        if len(self.seeds) < 2:
            return {}
        return self._gains(self._where_others_stop() - self.lowest)

    def _held_out_beside(self, errors: NDArray[np.float64]) -> Gains:
        """Return the error at the epoch that held-out images chose minus another of each run."""
        return {
            seed: float(self.errors[row, self.held_out[seed]] - errors[row])
            for row, seed in enumerate(self.seeds)
            if seed in self.held_out
        }

    def _where_others_stop(self) -> NDArray[np.float64]:
        """Return each run's error at the epoch with the lowest mean error of all other runs.

        Of equal epochs the first.
        """
        others = self.errors.sum(axis=0) - self.errors
        chosen = np.round(others, 6).argmin(axis=1)  # equal sums differ in their last bits
        stopped: NDArray[np.float64] = self.errors[np.arange(len(chosen)), chosen]
        return stopped

    def _gains(self, gains: NDArray[np.float64]) -> Gains:
        return dict(zip(self.seeds, gains.tolist(), strict=True))

    def mean(self, gains: Gains) -> Mean | None:
        """Return the mean of gains with Student's interval over seeds, None for none.

        A gain is a difference of two test errors, which are counts of images.
        """
        if not gains:
            return None
        return interval(list(gains.values()), rounding_variance(self.images, errors=2))


def watched(evidence: Evidence, clean: Evidence | None) -> list[Watched]:
    """Return the recipes of a study whose runs watched the test images, in the study's order.

    Parameters
    ----------
    evidence : Evidence
        Of a study that varies the preset.
    clean : Evidence or None
        Of the same recipes under protocol clean, where it is there.
    """
    chosen = {preset: _chosen(runs) for preset, runs in by_preset(clean).items()}
    return [
        Watched(
            preset,
            runs[0].protocol,
            [run.seed for run in runs],
            _errors(runs),
            len(evidence.target),
            chosen.get(preset, {}),
        )
        for preset, runs in by_preset(evidence).items()
        if all(run.protocol in TEST_AS_VALIDATION for run in runs)
    ]


def unwatched(evidence: Evidence) -> dict[str, str]:
    """Return the protocols of the other recipes, by preset: no epoch has a test error there."""
    protocols = {preset: runs[0].protocol for preset, runs in by_preset(evidence).items()}
    return {own: name for own, name in protocols.items() if name not in TEST_AS_VALIDATION}


def mean_over(recipes: Sequence[Watched], gains: Callable[[Watched], Gains]) -> Mean | None:
    """Return gains on average over recipes, None where no seed has them all.

    The seed is replicated, not the run: each seed's mean over the recipes counts once, of those
    seeds that all recipes have.
    """
    common = common_seeds(recipes, gains)
    if not common:
        return None
    by_recipe = [gains(recipe) for recipe in recipes]
    by_seed = [float(np.mean([own[seed] for own in by_recipe])) for seed in common]
    return interval(by_seed, rounding_variance(recipes[0].images, errors=2) / len(recipes))


def common_seeds(recipes: Sequence[Watched], gains: Callable[[Watched], Gains]) -> list[int]:
    """Return the seeds of which all recipes have a gain."""
    by_recipe = [set(gains(recipe)) for recipe in recipes]
    return sorted(set.intersection(*by_recipe)) if by_recipe else []


def last_differences(evidence: Evidence) -> int:
    """Return by how many images at most a last epoch's error differs from the reported one."""
    runs = [run for run in evidence.runs if run.protocol in TEST_AS_VALIDATION]
    apart = [abs(_errors([run])[0, -1] - evidence.test_error(run)) for run in runs]
    return round(max(apart, default=0.0) * len(evidence.target) / 100)


def _errors(runs: Sequence[RunEvidence]) -> NDArray[np.float64]:
    """Return test errors by run and epoch, percent, without what float32 adds to a count."""
    return np.round(100 * (1 - np.array([run.history[_FIGURE] for run in runs])), 4)


def _chosen(runs: Sequence[RunEvidence]) -> dict[int, int]:
    """Return by seed the epoch with the lowest validation error, of equal ones the first."""
    return {
        run.seed: int(np.argmax(run.history[_FIGURE])) for run in runs if _FIGURE in run.history
    }
