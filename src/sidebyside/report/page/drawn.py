"""The pictures of the page, as SVG text; none where there is nothing to draw."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from sidebyside.analysis.intervals import interval
from sidebyside.config.factors import level_text
from sidebyside.config.metrics import Metric
from sidebyside.report.page.content import Page, count_text
from sidebyside.report.page.intervals import Row, interval_plot
from sidebyside.report.page.levels import Level, interaction_plots, level_plots
from sidebyside.report.page.looks import look_plots
from sidebyside.report.page.matrix import Matrix
from sidebyside.report.page.plots import (
    Point,
    confusion_plot,
    cost_plot,
    curve_plots,
    errors_by_epoch,
)
from sidebyside.report.pictures.style import BLUE, GREEN, GREY, ORANGE
from sidebyside.report.text.scale import Scale
from sidebyside.storage.evidence import RunEvidence

_MOST_CURVES = 24  # variants whose learning curves are drawn: each picture is 10 kB
_MOST_LOOKS = 6  # pairs whose looks are drawn
_MOST_LINES = 8  # levels of a factor in a picture of an interaction
_MOST_DOTS = 100  # variants in a picture of one level
_COLORS = {
    "better": GREEN,
    "worse": ORANGE,
    "equivalent": BLUE,
    "identical": BLUE,
    "can't tell": GREY,
}


@dataclass(frozen=True)
class Drawn:
    """The pictures of a page."""

    page: Page

    @property
    def _scale(self) -> Scale:
        return self.page.scale

    @property
    def _metric(self) -> Metric:
        return self.page.evidence.metric

    @property
    def _axis(self) -> str:
        return self._scale.axis(self._scale.test)

    def files(self) -> dict[str, str]:
        """Return those pictures that MLflow and DVC show too, by file name."""
        named = {
            "variants": self.variants,
            "pairs": self.pairs,
            "equivalence": self.equivalence,
            "confusion_difference": self.confusion,
        }
        named |= {f"effect_of_{name}": svg for name, svg in self.levels.items()}
        named |= {f"looks_{i}": svg for i, svg in enumerate(self.looks.values(), start=1)}
        interactions = enumerate(self.interactions.values(), start=1)
        named |= {f"interaction_{number}": svg for number, svg in interactions}
        return {name: svg for name, svg in named.items() if svg}

    @cached_property
    def variants(self) -> str:
        """Dots, means and intervals of the variants."""
        rows = [
            Row(
                label=self.page.label(variant["name"]),
                mean=self.page.value(variant)["mean"],
                seeds=_ends(self.page.value(variant)),
                together=_ends(variant["seeds_and_images"]),
                runs=self.page.values[variant["name"]],
            )
            for variant in self.page.variants
        ]
        names = [variant["name"] for variant in self.page.variants]
        return interval_plot(
            rows,
            self._axis,
            "95 % interval over seeds",
            lowest=self._metric.low,
            matrix=self._matrix(names),
        )

    def _matrix(self, names: Sequence[str], ends: Sequence[str] = ()) -> Matrix:
        rows = [(str(self.page.numbers[name]), *self.page.levels.cells[name]) for name in names]
        return Matrix(["", *self.page.levels.heads], rows, ends)

    @cached_property
    def pairs(self) -> str:
        """Differences from the baseline."""
        known = [pair for pair in self.page.against if pair["difference"]["mean"] is not None]
        rows = [
            Row(
                label=f"{self.page.label(pair['a'])} (n={pair['n']}): {_unbroken(pair['verdict'])}",
                mean=pair["difference"]["mean"],
                seeds=_ends(pair["difference"]),
                together=_ends(pair["seeds_and_images"]),
                color=_COLORS[pair["verdict"]],
            )
            for pair in known
        ]
        label = self._scale.apart_column(f"{self._metric.label} minus the baseline's")
        label += f" ({self._scale.better_side}: better)"
        verdicts = [pair["verdict"] for pair in known]
        matrix = self._matrix([pair["a"] for pair in known], verdicts) if known else None
        return self._differences(rows, label, "95 % interval over seeds", matrix)

    @cached_property
    def looks(self) -> dict[str, str]:
        """The intervals of pairs with the baseline, look by look."""
        pairs = [pair for pair in self.page.against if pair.get("looks")][:_MOST_LOOKS]
        if not pairs:
            return {}
        by_label = {self.page.label(pair["a"]): pair["looks"] for pair in pairs}
        colors = [_COLORS[pair["verdict"]] for pair in pairs]
        return look_plots(by_label, colors, self.page.margin or 0, self._scale.differences)

    @cached_property
    def equivalence(self) -> str:
        """Differences of levels that should make none, with their 90 % intervals."""
        rows = [
            Row(
                label=f"{entry['factor']}: {level_text(entry['levels'][1])} minus "
                f"{level_text(entry['levels'][0])} (n={entry['n']} seeds)",
                mean=entry["difference"],
                seeds=_ends(entry),
            )
            for entry in self.page.content["equivalence"]
            if entry["difference"] is not None
        ]
        return self._differences(rows, self._scale.differences, "90 % interval over seeds")

    def _differences(
        self, rows: Sequence[Row], label: str, over_seeds: str, matrix: Matrix | None = None
    ) -> str:
        if not rows:
            return ""
        margin = self.page.margin or 0
        return interval_plot(rows, label, over_seeds, margin, zero=True, matrix=matrix)

    @property
    def _factors(self) -> dict[str, list[Any]]:
        """The levels of each factor that has several."""
        levels = self.page.content["factors"].items()
        return {name: of_factor for name, of_factor in levels if len(of_factor) > 1}

    @cached_property
    def levels(self) -> dict[str, str]:
        """Mean by level, by factor."""
        levels = {
            name: [self._level({name: level}) for level in of_factor]
            for name, of_factor in self._factors.items()
        }
        return level_plots(levels, self._axis, self._metric.low) if levels else {}

    @cached_property
    def interactions(self) -> dict[str, str]:
        """Mean by the levels of two factors, by what the picture is called."""
        pairs = {}
        for pair in combinations(self._factors, 2):
            across, lines = sorted(pair, key=lambda name: -len(self._factors[name]))
            if len(self._factors[lines]) <= _MOST_LINES:
                levels = self._lines(across, lines)
                n = count_text([level.n for line in levels.values() for level in line])
                pairs[f"{across} across, a line per {lines} (n={n} seeds)"] = levels
        if not pairs:
            return {}
        drawn = interaction_plots(list(pairs.values()), self._axis, self._metric.low)
        return dict(zip(pairs, drawn, strict=True))

    def _lines(self, across: str, lines: str) -> dict[str, list[Level]]:
        return {
            level_text(level): [
                self._level({across: place, lines: level})
                for place in self._factors[across]
                if self._runs_at({across: place, lines: level})
            ]
            for level in self._factors[lines]
        }

    def _runs_at(self, levels: Mapping[str, Any]) -> list[RunEvidence]:
        (first, *others) = (
            self._by_level.get((name, level_text(level)), {}) for name, level in levels.items()
        )
        return [run for place, run in first.items() if all(place in own for own in others)]

    @cached_property
    def _by_level(self) -> dict[tuple[str, str], dict[int, RunEvidence]]:
        """The runs at each level of each factor, by their place in the evidence."""
        by_level: dict[tuple[str, str], dict[int, RunEvidence]] = {}
        for place, run in enumerate(self.page.evidence.runs):
            for name, level in run.factors.items():
                by_level.setdefault((name, level_text(level)), {})[place] = run
        return by_level

    def _level(self, levels: Mapping[str, Any]) -> Level:
        """Return the mean of the runs at some levels, the first of which names it."""
        runs = self._runs_at(levels)
        mean = float(np.mean([self.page.evidence.value(run) for run in runs]))
        by_seed = self._by_seed(runs, mean)
        variants = dict.fromkeys(run.variant for run in runs)
        return Level(
            name=level_text(next(iter(levels.values()))),
            n=len(by_seed),
            mean=mean,
            ends=_ends(interval(by_seed, folds=self.page.evidence.folds)),
            variants=_thinned([self._means[name] for name in variants]),
        )

    @cached_property
    def _means(self) -> dict[str, float]:
        return {name: float(np.mean(values)) for name, values in self.page.values.items()}

    def _by_seed(self, runs: Sequence[RunEvidence], mean: float) -> list[float]:
        """Return the mean of some variants by seed: runs with one seed aren't independent.

        A seed that some variant wasn't run with is judged by the others.
        """
        apart: dict[int, list[float]] = {}
        for run in runs:
            value = self.page.evidence.value(run) - self._means[run.variant]
            apart.setdefault(run.seed, []).append(value)
        return [mean + float(np.mean(values)) for values in apart.values()]

    @cached_property
    def curves(self) -> dict[str, str]:
        """Learning curves, by variant."""
        shown = [variant["name"] for variant in self.page.variants[:_MOST_CURVES]]
        curves = {name: errors_by_epoch(self.page.evidence.of_variant(name)) for name in shown}
        curves = {name: errors for name, errors in curves.items() if errors}
        return curve_plots(curves) if curves else {}

    @cached_property
    def confusion(self) -> str:
        """The mean confusion matrix of the furthest variant minus the baseline's, if any."""
        if self.page.furthest is None:
            return ""
        evidence = self.page.evidence
        first, second = (
            np.mean([evidence.confusion(run) for run in evidence.of_variant(name)], axis=0)
            for name in (self.page.furthest, self.page.baseline)
        )
        names = [self.page.called(label) for label in range(len(first))]
        return confusion_plot(first - second, names)

    def cost(self, cost: str, label: str) -> str:
        """Return a cost beside the mean, nothing where there is nothing to weigh."""
        known = [row for row in self.page.costs if row[cost] is not None]
        if len({row[cost] for row in known}) < 2:
            return ""
        front = pareto_front([(row[cost], self._metric.rank(row["value"])) for row in known])
        points = [
            Point(self.page.numbers[row["name"]], row[cost], row["value"], on_front)
            for row, on_front in zip(known, front, strict=True)
        ]
        return cost_plot(points, label, self._scale.axis(f"mean {self._scale.test}"))


def pareto_front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Return which points no other beats: none is as low in both and lower in one."""
    front, lowest = set(), math.inf
    for point in sorted(set(points)):
        if point[1] < lowest:
            front.add(point)
            lowest = point[1]
    return [point in front for point in points]


def _thinned(means: list[float]) -> list[float]:
    """Return means, of very many only some, from the lowest to the highest at equal distances."""
    if len(means) <= _MOST_DOTS:
        return means
    places = np.linspace(0, len(means) - 1, _MOST_DOTS).round().astype(int)
    return [sorted(means)[place] for place in places]


def _unbroken(text: str) -> str:
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _ends(interval: Mapping[str, Any] | None) -> tuple[float, float] | None:
    if interval is None or interval["low"] is None or interval["high"] is None:
        return None
    return float(interval["low"]), float(interval["high"])
