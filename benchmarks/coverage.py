"""Whether the intervals and tests keep their word on simulated studies: docs/coverage.md.

python benchmarks/coverage.py
"""

import textwrap
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pilot import FACTORIAL, SEEDS, pilot

from sidebyside.analysis.deciding import of_pairs, race
from sidebyside.analysis.effects.effects import effects
from sidebyside.analysis.equivalence import compare_levels
from sidebyside.analysis.images import (
    difference_over_images,
    error_over_images,
    mcnemar_p,
    mean_over_images,
)
from sidebyside.analysis.intervals import (
    difference,
    interval,
    mean_estimate,
    new_seeds_and_images,
    rounding_variance,
)
from sidebyside.analysis.looks import COUNTS as COUNTS_OF_LOOKS
from sidebyside.analysis.looks import looks_up_to
from sidebyside.analysis.metrics.replicate import Replicate
from sidebyside.analysis.pairs import compare_pair, compare_pairs
from sidebyside.analysis.power import difference_sd, smallest_difference
from sidebyside.analysis.published.verdicts import judge, predictions
from sidebyside.analysis.selection import Candidate, select
from sidebyside.analysis.two_stages import FIRST, seeds_needed, two_stage_estimate
from sidebyside.config.metrics import LOG_LOSS

ROOT = Path(__file__).resolve().parents[1]
STUDIES = 2_000
SEED = 1  # of the simulation
COUNTS = (3, 5, 10)  # seeds

# What a rate may be, in percent. "false positives" are p values below 0.05 where nothing is.
BOUNDS = {
    "coverage": (93.0, 97.0),
    "false positives": (3.5, 6.5),
    # Tests of few counts, and a family's correction, can't use up their 5 %.
    "false positives, at most": (0.0, 6.5),
    "found": (80.0, 100.0),
    "found, as foretold": (77.0, 83.0),
    "coverage, nominal": (0.0, 100.0),
    # Most studies end at an early look, and have what was kept for the later ones left; each end
    # of an interval of skewed scores is the outer one of two.
    "coverage, at least": (93.0, 100.0),
}

NOISE = 0.1  # points: standard deviation over seeds where no other is given
MARGIN = 0.3  # points
TOLERANCE = 0.4  # points, of a published figure
IMAGES = 2_000  # few, so that errors are often the same
_NOTHING: NDArray[np.bool_] = np.zeros((1, 0), bool)

Outcome = tuple[str, str, bool]  # what was judged, which rate it counts for, whether it held
Study = Callable[[np.random.Generator], Iterator[Outcome]]


@dataclass(frozen=True)
class Rate:
    """How often something held over simulated studies, in percent."""

    design: str
    what: str
    measure: str
    percent: float
    studies: int

    def inside(self, errors: float = 0) -> bool:
        """Whether the rate is in its bounds, but for so many standard errors of the rate."""
        low, high = BOUNDS[self.measure]
        chance = 0.2 if self.measure.startswith("found") else 0.05
        slack = errors * 100 * np.sqrt(chance * (1 - chance) / self.studies)
        return bool(low - slack <= self.percent <= high + slack)


@dataclass(frozen=True)
class Noise:
    """Standard deviations, points: of a seed, of what a seed does to a factor, of a run.

    ``of_factors`` are of a seed's change of half the difference between a factor's two levels.
    """

    of_seed: float
    of_factors: tuple[float, ...]
    of_run: float


def simulate(design: str, studies: int) -> list[Rate]:
    """Return the rates of so many simulated studies of a design."""
    generator = np.random.default_rng([SEED, list(DESIGNS).index(design)])
    held: dict[tuple[str, str], list[bool]] = {}
    for _ in range(studies):
        for what, measure, outcome in DESIGNS[design](generator):
            held.setdefault((what, measure), []).append(outcome)
    return [
        Rate(design, what, measure, 100 * float(np.mean(outcomes)), len(outcomes))
        for (what, measure), outcomes in held.items()
    ]


# --- factors: a grid of three, each with two levels ---


@cache
def measured_noise() -> Noise:
    """Return the noise of the committed factorial on the full MNIST, by its mean squares.

    Of kernel size, dropout and optimizer, at channels_last: there no run is in it twice.
    """
    runs = pd.read_csv(FACTORIAL / "runs.csv")
    runs = runs[(runs["data_format"] == "channels_last") & (runs["seed"] < SEEDS)]
    seeds, factors = sorted(set(runs["seed"])), ["kernel_size", "dropout", "optimizer"]
    table = runs.pivot_table("test_error", factors, "seed")[seeds]
    apart = table.to_numpy() - table.mean(axis=1).to_numpy()[:, None]  # (variants, seeds)
    signs = np.array(list(product((-1, 1), repeat=3)))  # (variants, factors)
    by_seed = apart.mean(axis=0)
    by_factor = signs.T @ apart / len(apart)  # (factors, seeds)
    rest = apart - by_seed - signs @ by_factor
    freedom = (len(seeds) - 1) * (len(apart) - 1 - len(factors))
    of_run = (rest**2).sum() / freedom
    excess = np.append(by_seed[None], by_factor, axis=0).var(axis=1, ddof=1) - of_run / len(apart)
    of_seed, *of_factors = np.sqrt(np.maximum(excess, 0))
    return Noise(float(of_seed), tuple(map(float, of_factors)), float(np.sqrt(of_run)))


def factors_study(
    generator: np.random.Generator,
    seeds: int,
    noise: Noise,
    unequal: bool = False,
    duplicates: bool = False,
    missing: bool = False,
    images: int = 0,
) -> Iterator[Outcome]:
    """Simulate a study of factors a, which matters, b and c, which don't.

    With ``unequal`` noise the runs at the second level of a have three times the noise. With
    ``duplicates`` the runs at the second level of b are the same at both levels of c. Of
    ``missing`` runs there are a tenth, picked at random. Errors may be counts of ``images``.
    """
    means, runs = simulated_runs(generator, seeds, noise, unequal, duplicates, images)
    least = rounding_variance(images)
    if missing:
        count = len(runs) // 10
        runs = runs.iloc[np.sort(generator.permutation(len(runs))[count:])]
    yield from _of_effects(means, runs, least)
    yield from _of_levels(runs, least)
    if not missing:
        if noise == measured_noise() and not (duplicates or images):
            yield from _of_spread(runs, noise)
        yield from _of_variants(means, runs, least)
        yield from _of_pairs(means, runs, images)


def simulated_runs(
    generator: np.random.Generator,
    seeds: int,
    noise: Noise,
    unequal: bool = False,
    duplicates: bool = False,
    images: int = 0,
) -> tuple[NDArray[np.float64], pd.DataFrame]:
    """Return the true mean of each variant, shape (2, 2, 2), and a table of runs."""
    means = 1 + 0.4 * np.indices((2, 2, 2))[0]
    of_seed = generator.normal(0, noise.of_seed, seeds)
    of_factors = generator.normal(0, 1, (3, seeds)) * np.array(noise.of_factors)[:, None]
    rows: list[dict[str, Any]] = []
    for cell in product((0, 1), repeat=3):
        sd = noise.of_run * (3 if unequal and cell[0] else 1)
        signs = 2 * np.array(cell) - 1
        # Levels of c that give the same network have no difference that a seed could change.
        signs[2] *= not (duplicates and cell[1])
        errors = means[cell] + of_seed + signs @ of_factors + generator.normal(0, sd, seeds)
        if images:
            errors = np.round(errors * images / 100) * 100 / images
        for seed in range(seeds):
            levels = dict(zip("abc", cell, strict=True))
            name = f"{cell}{seed}"
            if duplicates and cell[1:] == (1, 1):
                same = (*cell[:2], 0)
                before = next(r for r in rows if r["cell"] == same and r["seed"] == seed)
                rows.append(levels | {k: before[k] for k in ("seed", "test_value", "weights")})
                rows[-1]["cell"] = cell
                continue
            found = {"seed": seed, "test_value": float(errors[seed]), "weights": name, "cell": cell}
            rows.append(levels | found)
    return means, pd.DataFrame(rows).drop(columns="cell")


def partial_study(generator: np.random.Generator, seeds: int, noise: Noise) -> Iterator[Outcome]:
    """Simulate a study of a, of three levels, and b, of two, a combination of which isn't run.

    What the second level of a does is the opposite at the second level of b: on average nothing.
    """
    means = np.array([[1.0, 1.0], [1.4, 0.6], [1.2, np.nan]])
    of_seed = generator.normal(0, noise.of_seed, seeds)
    of_second = generator.normal(0, 2 * noise.of_factors[0], seeds)
    rows = [
        {"a": a, "b": b, "seed": seed, "weights": f"{a}{b}{seed}", "test_value": error}
        for a, b in np.argwhere(~np.isnan(means)).tolist()
        for seed, error in enumerate(
            means[a, b] + of_seed + (a == 1) * of_second + generator.normal(0, noise.of_run, seeds)
        )
    ]
    yield from _of_effects(means, pd.DataFrame(rows), rounding_variance(0))


def _of_effects(
    means: NDArray[np.float64], runs: pd.DataFrame, least_variance: float
) -> Iterator[Outcome]:
    names = list("abc")[: means.ndim]
    found = effects(runs.drop(columns="weights"), names, least_variance=least_variance)
    nothing_shown = True
    for main in found.main:
        truth = _difference(means, {names.index(main.factor): main.level})
        yield from _of_estimate("main effect", truth, main.estimate)
        nothing_shown &= abs(truth) > 1e-9 or not main.estimate.shown
    yield "main effects, corrected", "false positives, at most", not nothing_shown
    for one in found.interactions:
        levels = zip(map(names.index, one.factors), one.levels, strict=True)
        yield from _of_estimate("interaction", _difference(means, dict(levels)), one.estimate)
    for simple in found.simple:
        at = np.take(means, [int(str(simple.at))], axis=names.index(simple.given))
        truth = _difference(at, {names.index(simple.factor): simple.level})
        yield from _of_estimate("simple effect", truth, simple.estimate)


def _of_estimate(what: str, truth: float, estimate: Any) -> Iterator[Outcome]:
    if estimate.low is None:
        return
    yield what, "coverage", estimate.low - 1e-9 <= truth <= estimate.high + 1e-9
    if abs(truth) < 1e-9:
        yield what, "false positives", estimate.p < 0.05


def _difference(means: NDArray[np.float64], levels: dict[int, Any]) -> float:
    """Return the true difference, or difference of differences, from levels 0 of some axes."""
    rest = tuple(axis for axis in range(means.ndim) if axis not in levels)
    table = means.mean(axis=rest)
    for level in levels.values():
        table = table[level] - table[0]
    return float(table)


def _of_levels(runs: pd.DataFrame, least_variance: float) -> Iterator[Outcome]:
    """Judge the equivalence of the levels of c, had they differed by the margin."""
    # What differs by the margin isn't identical, so only the other pairs are moved.
    twice = runs["weights"].duplicated(keep=False)
    moved = runs.assign(test_value=runs["test_value"] + MARGIN * ((runs["c"] == 1) & ~twice))
    found = compare_levels(moved, "c", (0, 1), MARGIN, least_variance).test
    yield "equivalence of levels at the margin", "false positives", found.equivalent


def _of_variants(
    means: NDArray[np.float64], runs: pd.DataFrame, least_variance: float
) -> Iterator[Outcome]:
    replicates = runs.groupby(list("abc"))["test_value"]
    # Both in the order of the levels.
    for (_, replicate), truth in zip(replicates, means.flat, strict=True):
        found = interval(replicate.tolist(), least_variance)
        yield "error of a variant, over seeds", "coverage", _holds(found, truth)


def _of_spread(runs: pd.DataFrame, noise: Noise) -> Iterator[Outcome]:
    """Judge the sd of a difference where seeds change what factors do."""
    errors = runs["test_value"].to_numpy().reshape(8, -1)
    _, low, high = difference_sd(errors)
    signs = 2 * np.array(list(product((0, 1), repeat=3))) - 1
    covariance = (signs * np.array(noise.of_factors) ** 2) @ signs.T + noise.of_run**2 * np.eye(8)
    spread = np.diag(covariance)
    of_pairs = (spread[:, None] + spread - 2 * covariance)[np.triu_indices(8, 1)]
    covered = _holds({"low": low, "high": high}, float(np.sqrt(of_pairs.mean())))
    yield "sd of a difference over seeds", "coverage", covered


def _of_pairs(means: NDArray[np.float64], runs: pd.DataFrame, images: int) -> Iterator[Outcome]:
    replicates = [
        _replicate(str(cell), group["test_value"].tolist(), group["weights"].tolist())
        for cell, group in runs.groupby(list("abc"))
    ]
    replicates = replicates[:4]  # a few: all pairs of all would take most of the time
    if images:
        replicates = [_with_images(one, images) for one in replicates]
    truths = dict(zip((one.name for one in replicates), means.flat, strict=False))
    names = list(combinations(truths, 2))
    false = False
    for pair in compare_pairs(replicates, names, MARGIN):
        if pair.identical:
            continue
        truth = truths[pair.a] - truths[pair.b]
        yield "difference of a pair, over seeds", "coverage", _holds(pair.difference, truth)
        if abs(truth) > 1e-9:
            continue
        assert pair.p is not None
        yield "paired t test", "false positives", pair.p < 0.05
        false |= pair.verdict in ("better", "worse")
    yield "verdicts on all pairs, corrected", "false positives, at most", false


def _replicate(name: str, errors: Sequence[float], weights: Sequence[str] = ()) -> Replicate:
    count = len(errors)
    wrong = _NOTHING.repeat(count, axis=0)
    own = list(weights) or [f"{name} {seed}" for seed in range(count)]
    return Replicate(name, list(range(count)), list(errors), wrong, own)


def _with_images(one: Replicate, images: int) -> Replicate:
    """Return a variant whose errors are counts of images; which ones are wrong isn't judged."""
    return replace(one, scores=np.zeros((len(one.seeds), images), bool))


# --- images ---


@cache
def measured_skill() -> float:
    """Return the sd over seeds of the committed factorial's errors, as a share of the mean error.

    What is left once the chance of each image in each run is taken away, of all its variants.
    """
    evidence = pilot()
    shares = []
    for variant in dict.fromkeys(run.variant for run in evidence.runs):
        wrong = np.stack([r.predicted != evidence.target for r in evidence.of_variant(variant)])
        by_seed, by_image = wrong.mean(axis=1), wrong.mean(axis=0)
        n, images = wrong.shape
        rest = wrong - by_seed[:, None] - by_image + wrong.mean()
        of_chance = (rest**2).sum() / ((n - 1) * (images - 1)) / images
        shares.append((by_seed.var(ddof=1) - of_chance) / wrong.mean() ** 2)
    return float(np.sqrt(np.mean(shares)))


def wrong_images(
    generator: np.random.Generator, images: int, runs: int, ratio: float, of_seed: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], float]:
    """Return which images runs of two variants get wrong, by Bernoulli, and the first's error.

    An image is wrong with a chance from Beta(0.1, 5), 2 % on average; variant b errs ``ratio``
    times as often. ``of_seed`` is the standard deviation of the logarithm by which a run errs more
    or less often: half its variance is shared by the two runs of a seed.
    """
    chance = generator.beta(0.1, 5, images)
    skill = generator.normal(0, of_seed / np.sqrt(2), (3, runs, 1))
    a, b = (
        generator.random((runs, images)) < factor * np.exp(skill[0] + own - of_seed**2 / 2) * chance
        for factor, own in ((1, skill[1]), (ratio, skill[2]))
    )
    return a, b, 100 * 0.1 / 5.1


def images_study(
    generator: np.random.Generator, images: int, runs: int, ratio: float, of_seed: float = 0
) -> Iterator[Outcome]:
    """Simulate runs of two variants on images, some of them hard, see `wrong_images`."""
    a, b, truth = wrong_images(generator, images, runs, ratio, of_seed)
    together = new_seeds_and_images(100 * a.astype(float), least_variance=rounding_variance(images))
    by_image = 100.0 * (a.astype(int) - b.astype(int))
    apart = new_seeds_and_images(by_image, least_variance=rounding_variance(images, 2))
    if of_seed and together and apart:
        covered = _holds(together.named_ends(), truth)
        yield "error of a variant, new seeds and images", "coverage", covered
        covered = _holds(apart.named_ends(), truth * (1 - ratio))
        yield "difference of a pair, new seeds and images", "coverage", covered
        covered = _holds(_on_images(a, b, range(runs), range(runs)), truth * (ratio - 1))
        yield "main effect, new seeds and images", "coverage", covered
    if of_seed:
        return  # what follows is about these networks
    method = "Wilson" if runs == 1 else "bootstrap"
    yield f"error over images, {method}", "coverage", _holds(error_over_images(a), truth)
    found = difference_over_images(a, b)
    covered = _holds(found, truth * (1 - ratio))
    yield "difference over images (and an ensemble's gain), bootstrap", "coverage", covered
    gain = mean_estimate(by_image.mean(axis=0).tolist())
    assert gain is not None
    yield (
        "mean gain of ensembles, over images",
        "coverage",
        (_holds(gain.named_ends(), truth * (1 - ratio))),
    )
    if ratio != 1:
        return
    yield "sign flips over images", "false positives, at most", found["p"] < 0.05
    if runs == 1:
        yield "McNemar", "false positives, at most", mcnemar_p(a[0], b[0]) < 0.05


def unlike_seeds_study(
    generator: np.random.Generator, images: int, seeds: int, of_seed: float
) -> Iterator[Outcome]:
    """Simulate two variants, each with runs of three seeds in five, of which few are common.

    Few images are hard, and of those half for each variant, not the same; both err as often.
    """
    common = 0.9 * (generator.random(images) < 0.04)
    hard = generator.integers(0, 2, (2, 1, images))
    skill = np.exp(generator.normal(0, of_seed, (seeds, 1)) - of_seed**2 / 2)
    kept = -(-3 * seeds // 5)
    of_a, of_b = range(kept), range(seeds - kept, seeds)
    a, b = (
        generator.random((kept, images)) < skill[own] * hard[which] * common
        for which, own in enumerate((of_a, of_b))
    )
    covered = _holds(_on_images(a, b, of_a, of_b), 0)
    yield "main effect, new seeds and images", "coverage, at least", covered


def _on_images(
    a: NDArray[np.bool_], b: NDArray[np.bool_], of_a: Sequence[int], of_b: Sequence[int]
) -> Any:
    """Return the interval of b minus a for new seeds and images, by the seeds of their runs."""
    wrong = np.concatenate([a, b])
    names = ["a"] * len(a) + ["b"] * len(b)
    runs = pd.DataFrame({"variant": names, "seed": [*of_a, *of_b]})
    errors = runs.assign(test_value=100 * wrong.mean(axis=1))
    least = rounding_variance(wrong.shape[1])
    (main,) = effects(errors, ["variant"], scores=wrong, least_variance=least).main
    return main.estimate.seeds_and_images


@cache
def measured_losses() -> tuple[NDArray[np.float64], float, float]:
    """Return what the committed factorial's log losses are like, each as a share of the mean.

    The mean over runs of each image; the sd of a run's own part of an image, as a share of that
    image's mean (root mean square); and the sd over seeds that images' chance doesn't explain.
    """
    evidence = pilot()
    of_images, own, of_seeds = [], [], []
    for variant in dict.fromkeys(run.variant for run in evidence.runs):
        certainty = np.stack([run.certainty for run in evidence.of_variant(variant)])
        losses = -np.log(np.clip(certainty.astype(np.float64), 1e-7, 1))
        by_seed, by_image, mean = losses.mean(axis=1), losses.mean(axis=0), losses.mean()
        n, images = losses.shape
        rest = losses - by_seed[:, None] - by_image + mean
        of_chance = (rest**2).sum() / ((n - 1) * (images - 1))
        of_images.append(by_image / mean)
        own.append(of_chance / (by_image**2).mean())
        of_seeds.append((by_seed.var(ddof=1) - of_chance / images) / mean**2)
    share = np.mean(of_images, axis=0)
    return share, float(np.sqrt(np.mean(own))), float(np.sqrt(np.mean(of_seeds)))


def losses_study(
    generator: np.random.Generator, images: int, runs: int, ratio: float
) -> Iterator[Outcome]:
    """Simulate log losses of two variants on images drawn from the committed factorial's.

    A few images have most of the loss. A run's loss on an image is the image's times a gamma
    variable of mean 1, times its skill, half the variance of which is shared by the two runs of a
    seed; variant b's are ``ratio`` times as large.
    """
    population, of_run, of_seed = measured_losses()
    hard = generator.choice(population, images)
    skill = generator.normal(0, of_seed / np.sqrt(2), (3, runs, 1))
    a, b = (
        factor
        * np.exp(skill[0] + own - of_seed**2 / 2)
        * hard
        * generator.gamma(of_run**-2, of_run**2, (runs, images))
        for factor, own in ((1, skill[1]), (ratio, skill[2]))
    )
    truth, drawn = float(population.mean()), float(hard.mean())
    pair = compare_pair(_judged("a", a), _judged("b", b), MARGIN)
    kinds = "log loss of a variant", "difference of log losses"
    covered = _holds(interval(a.mean(axis=1).tolist()), drawn)
    yield f"{kinds[0]}, over seeds", "coverage", covered
    covered = _holds(pair.difference, drawn * (1 - ratio))
    yield f"{kinds[1]}, over seeds", "coverage", covered
    together = new_seeds_and_images(a, skewed=True)
    assert together is not None
    covered = _holds(together.named_ends(), truth)
    yield f"{kinds[0]}, new seeds and images", "coverage, at least", covered
    covered = _holds(pair.seeds_and_images, truth * (1 - ratio))
    yield f"{kinds[1]}, new seeds and images", "coverage, at least", covered
    # Over images these networks stay what they are: their skill is no chance.
    of_a, of_b = (np.exp(skill[0] + skill[i] - of_seed**2 / 2).mean() for i in (1, 2))
    covered = _holds(mean_over_images(a), truth * of_a)
    yield f"{kinds[0]}, over images", "coverage, at least", covered
    covered = _holds(pair.over_images, truth * (of_a - ratio * of_b))
    yield f"{kinds[1]}, over images", "coverage, at least", covered
    if ratio == 1 and pair.p is not None:
        yield "paired t test of log losses", "false positives", pair.p < 0.05


def _judged(name: str, scores: NDArray[np.float64]) -> Replicate:
    """Return a variant of these log losses."""
    values, seeds = scores.mean(axis=1).tolist(), list(range(len(scores)))
    own = [f"{name} {seed}" for seed in seeds]
    return Replicate(name, seeds, values, scores, own, LOG_LOSS, 0.0)


# --- selection ---


def selection_study(
    generator: np.random.Generator, seeds: int, variants: int, spread: float
) -> Iterator[Outcome]:
    """Simulate the choice by validation error of variants whose means have a standard deviation.

    A run's validation and test errors share what the run is worth (sd 0.1 points, of which half the
    variance is its seed's), and each has the noise of its images (sd 0.05).
    """
    means = 1 + generator.normal(0, spread, variants) if spread else np.ones(variants)
    half = NOISE / np.sqrt(2)
    worth = means[:, None] + generator.normal(0, half, seeds)
    worth = worth + generator.normal(0, half, (variants, seeds))
    validation, test = worth + generator.normal(0, NOISE / 2, (2, variants, seeds))
    found = select(
        [
            Candidate(
                str(v),
                list(range(seeds)),
                list(validation[v]),
                list(test[v]),
            )
            for v in range(variants)
        ],
        {str(v): None for v in range(variants)},
    )
    truth = float(means[int(found.chosen)])
    assert found.corrected is not None
    yield "error of the chosen variant, corrected", "coverage", _holds(found.corrected, truth)
    own = interval(test[int(found.chosen)].tolist())
    yield "error of the chosen variant, its own", "coverage, nominal", _holds(own, truth)


def baseline_study(generator: np.random.Generator, seeds: int, variants: int) -> Iterator[Outcome]:
    """Simulate equal variants, each held against the one that its own runs made the baseline."""
    errors = generator.normal(1, NOISE, (variants, seeds)) + generator.normal(0, NOISE, seeds)
    baseline = int(errors.mean(axis=1).argmin())
    replicates = [_replicate(str(v), errors[v].tolist()) for v in range(variants)]
    pairs = [(str(v), str(baseline)) for v in range(variants) if v != baseline]
    found = compare_pairs(replicates, pairs, MARGIN, variants * (variants - 1) // 2)
    false = any(pair.verdict in ("better", "worse") for pair in found)
    yield "verdicts against a chosen baseline, corrected", "false positives, at most", false


def ties_study(
    generator: np.random.Generator, seeds: int, variants: int, images: int
) -> Iterator[Outcome]:
    """Simulate equal variants whose errors are counts of images, so that differences can agree."""
    errors = generator.normal(1, NOISE, (variants, seeds)) + generator.normal(0, NOISE, seeds)
    counted = np.round(errors * images / 100) * 100 / images
    replicates = [
        _with_images(_replicate(str(v), counted[v].tolist()), images) for v in range(variants)
    ]
    found = compare_pairs(replicates, list(combinations(map(str, range(variants)), 2)), MARGIN)
    false = any(pair.verdict in ("better", "worse") for pair in found)
    yield "verdicts on all pairs, corrected", "false positives, at most", false


def margin_study(generator: np.random.Generator, seeds: int, variants: int) -> Iterator[Outcome]:
    """Simulate variants of which half err more than the others, by the margin."""
    means = 1 + MARGIN * (np.arange(variants) % 2)
    errors = generator.normal(means[:, None], NOISE / 4, (variants, seeds))
    replicates = [_replicate(str(v), errors[v].tolist()) for v in range(variants)]
    found = compare_pairs(replicates, list(combinations(map(str, range(variants)), 2)), MARGIN)
    false = any(pair.verdict == "equivalent" for pair in found if (int(pair.a) - int(pair.b)) % 2)
    yield "equivalent pairs, corrected", "false positives, at most", false


# --- power ---


def power_study(generator: np.random.Generator, seeds: int, variants: int) -> Iterator[Outcome]:
    """Simulate two variants of several, which differ by what the study is said to show."""
    pairs = variants * (variants - 1) // 2
    apart = smallest_difference(NOISE * np.sqrt(2), seeds, 0.05 / pairs)
    assert apart is not None
    errors = generator.normal(1, NOISE, (variants, seeds)) + generator.normal(0, NOISE, seeds)
    sd, low, high = difference_sd(errors)
    assert sd is not None
    covered = _holds({"low": low, "high": high}, NOISE * np.sqrt(2))
    yield "sd of a difference over seeds", "coverage", covered
    a, b = _replicate("a", (errors[0] + apart).tolist()), _replicate("b", errors[1].tolist())
    (pair,) = compare_pairs([a, b], [("a", "b")], MARGIN, chosen_from=pairs)
    yield "verdict at the smallest difference", "found, as foretold", pair.verdict == "worse"


# --- published figures ---


def published_study(generator: np.random.Generator, seeds: int, recipes: int) -> Iterator[Outcome]:
    """Simulate published figures that are one more run of a recipe, the last of them of another.

    Recipes differ in noise (10 degrees of freedom about 0.07 points). The first has two readings,
    of which one is true. The last figure is off by the tolerance.
    """
    sds = 0.07 * np.sqrt(10 / generator.chisquare(10, recipes))
    off = np.append(np.zeros(recipes - 1), TOLERANCE)
    published = generator.normal(1 + off, sds)
    runs = generator.normal(1, sds[:, None], (recipes, seeds)).tolist()
    other = generator.normal(1.1, sds[0], seeds).tolist()
    readings = [[runs[0], other], *([one] for one in runs[1:])]
    found = judge(published.tolist(), readings, TOLERANCE)
    false = any(one.verdict.startswith("published is") for one in found[:-1])
    yield "published figures contradicted, corrected", "false positives, at most", false
    wrongly = found[-1].verdict == "reproduced"
    yield "reproduced, but off by the tolerance, corrected", "false positives, at most", wrongly
    for estimate, figure in zip(predictions(runs)[:-1], published[:-1], strict=True):
        assert estimate is not None
        covered = _holds(estimate.named_ends(), float(figure))
        yield "one more run of a recipe", "coverage", covered
    (alone,) = predictions([runs[1]])
    assert alone is not None
    covered = _holds(alone.named_ends(), float(published[1]))
    yield "one more run of a recipe, by its own runs alone", "coverage", covered
    clean = difference(runs[1], runs[2])
    yield "difference of two protocols (Welch)", "coverage", _holds(clean, 0)


# --- seeds added while looking ---


def decided_study(
    generator: np.random.Generator, most: int, noise: Noise, apart: float
) -> Iterator[Outcome]:
    """Simulate two variants that get seeds until it is decided which is better, or that none is.

    They differ in the first factor alone, by ``apart`` points.
    """
    looks = looks_up_to(most)
    errors = 1 + _paired(generator, most, noise)
    errors[1] += apart
    for count in looks.counts:
        there = errors[:, :count].tolist()
        replicates = [_replicate("a", there[0]), _replicate("b", there[1])]
        (pair,) = compare_pairs(replicates, [("a", "b")], MARGIN, looks=looks)
        if not of_pairs([pair]).open:
            break
    yield "pair, when decided", "coverage, at least", _holds(pair.difference, -apart)
    false = pair.verdict in ("better", "worse") if not apart else pair.verdict == "equivalent"
    if apart in (0, MARGIN):
        yield "pair, when decided", "false positives, at most", false
    # A study that goes on whatever it sees may use up what all looks are allowed together, but for
    # what an early look shows and the last one doesn't bear out.
    there = errors.tolist()
    replicates = [_replicate("a", there[0]), _replicate("b", there[1])]
    (pair,) = compare_pairs(replicates, [("a", "b")], MARGIN, looks=looks)
    held = all(_holds(look, -apart) for look in pair.by_look)
    yield "pair, intervals of all looks together", "coverage", held
    if apart in (0, MARGIN):
        p = pair.p_equivalent_holm if apart else pair.p_holm
        what = "equivalent at the margin" if apart else "different"
        assert p is not None
        yield f"pair, {what} at any look and the last", "false positives, at most", p < 0.05


def decided_images_study(
    generator: np.random.Generator, images: int, most: int, ratio: float, of_seed: float
) -> Iterator[Outcome]:
    """Simulate two variants that are looked at, and tested on images, see `wrong_images`."""
    looks = looks_up_to(most)
    a, b, truth = wrong_images(generator, images, most, ratio, of_seed)
    held = {"error of a variant": True, "difference of a pair": True}
    for count in looks.counts:
        confidence = looks.confidence(count)
        apart = 100.0 * (a[:count].astype(int) - b[:count].astype(int))
        for what, values, of_counts, is_true in (
            ("error of a variant", 100 * a[:count].astype(float), 1, truth),
            ("difference of a pair", apart, 2, truth * (1 - ratio)),
        ):
            least = rounding_variance(images, of_counts)
            found = new_seeds_and_images(values, least_variance=least)
            assert found is not None
            held[what] &= _holds(found.named_ends(confidence), is_true)
    for what, all_of_them in held.items():
        yield f"{what}, new seeds and images, all looks together", "coverage, at least", all_of_them


def _paired(generator: np.random.Generator, seeds: int, noise: Noise) -> NDArray[np.float64]:
    """Return the noise of two levels of the first factor that share seeds, shape (2, seeds)."""
    of_factor = generator.normal(0, noise.of_factors[0], seeds)
    of_seed = generator.normal(0, noise.of_seed, seeds)
    of_runs = generator.normal(0, noise.of_run, (2, seeds))
    return np.array([of_seed - of_factor, of_seed + of_factor]) + of_runs


def race_study(generator: np.random.Generator, variants: int, noise: Noise) -> Iterator[Outcome]:
    """Simulate equal variants that race until the best is decided: no one should be out."""
    looks = looks_up_to(20)
    of_runs = generator.normal(0, noise.of_run, (variants, 20))
    errors = 1 + generator.normal(0, noise.of_seed, 20) + of_runs
    names = [str(number) for number in range(variants)]
    seeds = dict.fromkeys(names, looks.counts[0])
    while True:
        replicates = [_replicate(name, errors[int(name), : seeds[name]].tolist()) for name in names]
        now = race(replicates, MARGIN, looks)
        more = {name: count for name in now.open if (count := looks.after(seeds[name]))}
        if not more or now.out:
            break
        seeds |= more
    yield "a variant out of a race of equals", "false positives, at most", bool(now.out)


def decided_factors_study(generator: np.random.Generator, noise: Noise) -> Iterator[Outcome]:
    """Simulate a grid that gets seeds until its factors are decided."""
    looks, names = looks_up_to(20), list("abc")
    means, runs = simulated_runs(generator, 20, noise)
    for count in looks.counts:
        there = runs[runs["seed"] < count].drop(columns="weights")
        found = effects(there, names, looks=looks)
        if all(found.is_told(effect, MARGIN) for effect in found.main):
            break
    for effect in found.main:
        truth = _difference(means, {names.index(effect.factor): effect.level})
        assert effect.estimate.low is not None
        assert effect.estimate.high is not None
        held = effect.estimate.low <= truth <= effect.estimate.high
        yield "main effect, when decided", "coverage, at least", held
    false = any(effect.estimate.shown for effect in found.main if effect.factor != "a")
    yield "main effects, when decided", "false positives, at most", false


def narrow_study(generator: np.random.Generator, halfwidth: float, most: int) -> Iterator[Outcome]:
    """Simulate a variant that gets the seeds which its first five ask for, up to a number."""
    first = generator.normal(1, NOISE, FIRST).tolist()
    count = min(seeds_needed(first, halfwidth), most)
    errors = first + generator.normal(1, NOISE, count - FIRST).tolist()
    estimate = two_stage_estimate(errors)
    assert estimate is not None
    yield "error of a variant, in two stages", "coverage", _holds(estimate.named_ends(), 1)


def _holds(found: Any, truth: float) -> bool:
    return bool(found["low"] <= truth <= found["high"])


def _designs() -> dict[str, Study]:
    independent = Noise(0, (0, 0, 0), NOISE)
    blocks = Noise(NOISE, (0, 0, 0), NOISE)
    measured = measured_noise()
    found: dict[str, Study] = {}
    for n in COUNTS:
        grid = partial(factors_study, seeds=n)
        found |= {
            f"independent runs, n={n}": partial(grid, noise=independent),
            f"seed blocks, n={n}": partial(grid, noise=blocks),
            f"seed x factor, n={n}": partial(grid, noise=measured),
            f"unequal noise, n={n}": partial(grid, noise=blocks, unequal=True),
            f"duplicates, n={n}": partial(grid, noise=measured, duplicates=True),
            f"ties, n={n}": partial(grid, noise=blocks, images=IMAGES),
            f"missing runs, n={n}": partial(grid, noise=measured, missing=True),
            f"new images, n={n}": partial(
                images_study, images=5_000, runs=n, ratio=0.7, of_seed=measured_skill()
            ),
            f"new images, seeds twice as noisy, n={n}": partial(
                images_study, images=5_000, runs=n, ratio=1, of_seed=2 * measured_skill()
            ),
            f"selection of 12 equal, n={n}": partial(
                selection_study, seeds=n, variants=12, spread=0
            ),
            f"selection of 12, n={n}": partial(selection_study, seeds=n, variants=12, spread=NOISE),
            f"chosen baseline of 21, n={n}": partial(baseline_study, seeds=n, variants=21),
            f"ties of 10,000 images, all pairs of 6, n={n}": partial(
                ties_study, seeds=n, variants=6, images=10_000
            ),
            f"half at the margin, n={n}": partial(margin_study, seeds=n, variants=8),
            f"power, n={n}": partial(power_study, seeds=n, variants=8),
            f"published, n={n}": partial(published_study, seeds=n, recipes=8),
        }
    return found | {
        "these networks, 3 runs, equal": partial(images_study, images=2_000, runs=3, ratio=1),
        "these networks, 3 runs, b better": partial(images_study, images=2_000, runs=3, ratio=0.7),
        "these networks, 1 run, equal": partial(images_study, images=2_000, runs=1, ratio=1),
        "until narrow": partial(narrow_study, halfwidth=0.07, most=1_000),
        "until narrow, at most 8 seeds": partial(narrow_study, halfwidth=0.07, most=8),
        **_until_decided(independent, blocks, measured),
        **{
            f"log losses on {images:,} images, b {named}, n={n}": partial(
                losses_study, images=images, runs=n, ratio=ratio
            )
            for images in (1_000, 10_000)
            for named, ratio in (("equal", 1), ("better", 0.7))
            for n in COUNTS
        },
        **{
            f"until decided, new images, at most {most} seeds": partial(
                decided_images_study, images=5_000, most=most, ratio=0.7, of_seed=measured_skill()
            )
            for most in COUNTS_OF_LOOKS
        },
        **{
            f"a combination not run, n={n}": partial(partial_study, seeds=n, noise=measured)
            for n in COUNTS
        },
        **{
            f"new images, seeds unlike, n={n}": partial(
                unlike_seeds_study, images=5_000, seeds=n, of_seed=measured_skill()
            )
            for n in COUNTS
        },
    }


def _until_decided(independent: Noise, blocks: Noise, measured: Noise) -> dict[str, Study]:
    found: dict[str, Study] = {}
    for named, noise in (("independent runs", independent), ("shared seeds", measured)):
        for most in COUNTS_OF_LOOKS:
            pair = partial(decided_study, most=most, noise=noise)
            found[f"until decided, {named}, at most {most} seeds, equal"] = partial(pair, apart=0)
        apart = partial(decided_study, most=20, noise=noise)
        found[f"until decided, {named}, at the margin"] = partial(apart, apart=MARGIN)
        found[f"until decided, {named}, apart"] = partial(apart, apart=NOISE)
    return found | {
        "until decided, race of 6 equal, independent runs": partial(
            race_study, variants=6, noise=independent
        ),
        "until decided, race of 6 equal, shared seeds": partial(
            race_study, variants=6, noise=blocks
        ),
        "until decided, factors": partial(decided_factors_study, noise=measured),
    }


DESIGNS = _designs()


def as_markdown(rates: Sequence[Rate]) -> str:
    """Return docs/coverage.md."""
    noise = measured_noise()
    factors = ", ".join(f"{sd:.3f}" for sd in noise.of_factors)
    paragraphs = [
        f"""Coverage is how often a 95 % interval holds the truth; false positives are how often a
        test at 0.05 finds something where there is nothing, or a family of tests, corrected,
        anything at all. There are {STUDIES:,} studies of each design, of n seeds, with a fixed
        random seed; a rate of 5 % has a standard error of 0.5. Tests of few counts, and corrections
        for many tests, can't use up their 5 %, so only more is a fault. "Nominal" rates are of
        intervals that the report calls so, or shows beside a corrected one.""",
        f"""A grid has three factors of two levels, of which one matters. "Seed x factor" has the
        noise of the first five seeds of the committed factorial on the full MNIST, from its
        runs.csv: an sd of {noise.of_seed:.3f} points for the seed, {factors} for what it does to
        kernel size, dropout and optimizer, {noise.of_run:.3f} for a run. Studies of "new images"
        have its runs' noise as
        a share of the error, {100 * measured_skill():.1f} %. "Log losses" are of images drawn from
        its own, a few of which have most of the loss. "Duplicates" are runs that come out the same
        at both levels of a factor; "ties" are errors counted on {IMAGES:,} images; of
        "missing runs" there is a tenth; where "a combination" of levels is not run, the others
        interact; where "seeds" are "unlike", two variants lack two in five each, not the same. In
        studies "until decided" the margin is {MARGIN:g} points,
        variants "apart" differ by {NOISE:g}, and "shared seeds" have the noise of the committed
        factorial. How each design is made is in
        [benchmarks/coverage.py](../benchmarks/coverage.py).""",
    ]
    lines = [
        "# Do the intervals and tests keep their word?",
        "",
        "On simulated studies, where the truth is known. Written by:",
        "",
        "    make coverage",
        "",
    ]
    for paragraph in paragraphs:
        lines += [*textwrap.wrap(" ".join(paragraph.split()), 98), ""]
    lines += ["| Design | Interval or test | Rate | % | Should be |", "|---|---|---|--:|--:|"]
    for rate in rates:
        low, high = BOUNDS[rate.measure]
        mark = "" if rate.inside() else " (outside)"
        should = "-" if high - low == 100 else f"{low:g} to {high:g}"
        cells = (rate.design, rate.what, rate.measure, f"{rate.percent:.2f}{mark}", should)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Simulate, print each rate as it is there, and write docs/coverage.md."""
    rates = []
    with ProcessPoolExecutor() as pool:
        for found in pool.map(simulate, DESIGNS, [STUDIES] * len(DESIGNS)):
            for rate in found:
                print(
                    f"{rate.percent:6.2f} {rate.measure:24} {rate.design}: {rate.what}", flush=True
                )
            rates += found
    (ROOT / "docs" / "coverage.md").write_text(as_markdown(rates), encoding="utf-8")


if __name__ == "__main__":
    main()
