"""Looks at a study that grows until its question is answered, and what may be said at each.

After each of a few numbers of seeds all runs so far are looked at. Look k has the share
w_k = n_k / sum(n) of the error that a single look would have: an interval at the level c * w_k is
a repeated confidence interval, which holds the truth at all looks together (Jennison & Turnbull
1989, "Interim analyses: the repeated confidence interval approach"), so the study may stop at
any of them for whatever reason. With c = 0.05 that is Bonferroni's inequality; as looks share
runs, the c that simulation finds is larger (`make sequential`, docs/sequential.md).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sidebyside.analysis.power import ALPHA

COUNTS = (3, 5, 8, 13, 20)  # seeds at a look

# By the number of looks: c for a difference at 0.05, and for two tests of equivalence at 0.05 each.
CALIBRATED = {
    1: (0.05, 0.1),
    2: (0.0551, 0.114),
    3: (0.0577, 0.1227),
    4: (0.0606, 0.1289),
    5: (0.0636, 0.1341),
}


@dataclass(frozen=True)
class Looks:
    """The looks of a study that may grow to the last of these numbers of seeds."""

    counts: tuple[int, ...]

    def reached(self, seeds: int) -> int:
        """Return how many of so many seeds were there at the last look; the first is ahead."""
        return max((count for count in self.counts if count <= seeds), default=self.counts[0])

    def after(self, seeds: int) -> int | None:
        """Return the number of seeds at the next look, None after the last."""
        return next((count for count in self.counts if count > seeds), None)

    def number(self, seeds: int) -> int:
        """Return which look is the last with so many seeds, from 1."""
        return self.counts.index(self.reached(seeds)) + 1

    def confidence(self, seeds: int) -> float:
        """Return the confidence of an interval at a look that makes 95 % of all looks together."""
        return 1 - self._level(0) * self._share(self.reached(seeds))

    def confidence_of_equivalence(self, seeds: int) -> float:
        """Return that of the interval which decides two tests of equivalence at 0.05 each."""
        return 1 - self._level(1) * self._share(self.reached(seeds))

    def p(
        self,
        of_look: Callable[[int], float | None],
        seeds: int,
        of_equivalence: bool = False,
    ) -> float | None:
        """Return the least p value of all looks so far, each over its share; None without any.

        Where the interval at the last look doesn't bear that out, as it holds no difference or
        reaches beyond the margin ``of_equivalence``, it is the p value of that look. Valid at each
        look and after the last, alone and in Holm's correction.
        """
        known = [(count, of_look(count)) for count in self.counts if count <= seeds]
        shares = [p / self._share(count) for count, p in known if p is not None]
        if not shares:
            return None
        borne_out = self._level(1) / 2 if of_equivalence else self._level(0)
        return min(1.0, *(shares if shares[-1] < borne_out else shares[-1:]))

    def p_alone(self, p: float | None) -> float | None:
        """Return the p value of a test that is the only one, which c makes smaller."""
        return None if p is None else min(1.0, p * ALPHA / self._level(0))

    def p_alone_of_equivalence(self, p: float | None) -> float | None:
        """Return that of a pair of tests of equivalence."""
        return None if p is None else min(1.0, p * 2 * ALPHA / self._level(1))

    def _share(self, count: int) -> float:
        return count / sum(self.counts)

    def _level(self, of_equivalence: int) -> float:
        return CALIBRATED[len(self.counts)][of_equivalence]


def looks_up_to(most: int) -> Looks:
    """Return the looks of a study of at most so many seeds."""
    return Looks(tuple(count for count in COUNTS if count <= most))


def looks_of(stopping: Mapping[str, Any] | None) -> Looks | None:
    """Return the looks of a study with this rule, None where seeds weren't added by looks."""
    if stopping is None or stopping.get("until") != "decided":
        return None
    return looks_up_to(stopping["max_seeds"])
