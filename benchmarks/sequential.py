"""What rules that add seeds cost and save: docs/sequential.md and its picture.

make sequential
"""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from pilot import FACTORIAL, pilot
from scipy import stats
from tabulate import tabulate

from sidebyside.analysis.deciding import progress, race
from sidebyside.analysis.identical import counted_once, identical_variants
from sidebyside.analysis.looks import CALIBRATED, COUNTS, looks_up_to
from sidebyside.analysis.metrics.replicate import Replicate
from sidebyside.analysis.power import ALPHA, difference_sd, rows_in_common
from sidebyside.analysis.tables import replicate_of, variants
from sidebyside.config.compose import compose_config
from sidebyside.config.schema import Study
from sidebyside.config.validate import check_study
from sidebyside.report.pictures.style import BLUE, GREY, STYLE, new_figure, save
from sidebyside.storage.evidence import Evidence
from sidebyside.storage.evidence_files import read_evidence

ROOT = Path(__file__).resolve().parents[1]
SEED = 1  # of the simulation
CALIBRATING = 400_000  # studies
STUDIES = 20_000
MARGIN = 0.1  # points
APART = (0.0, 0.05, 0.1, 0.2)  # points, true differences
RACERS = 16
RACES = 200

Array = NDArray[np.float64]

TEXT = """# Until it is decided: as few trainings as the answer needs

Adding seeds until an interval looks narrow makes it too narrow, and looking at p < 0.05 after
each seed finds differences where there are none. Two rules add seeds and keep their promise. Set
before a study is run, on the command line or in its file:

    python pipelines/train.py -m study=factorial study.until=decided
    python pipelines/train.py -m study=factorial study.until=narrow study.halfwidth=0.05

(A setting that the study's file doesn't name is added with `++`: `++study.until=decided`.) The
rule then says how many seeds there are; `training.seeds` doesn't. A study that is stopped goes
on with the same command, and ends with the same runs. With `dvc repro` set `until` in the
study's file: the train stage then evaluates too, as it is test errors that decide.

All looks are one launch, so workers keep their networks from one look to the next. They needn't
idle until the last run of a look is done: runs that the next look will need in any case are begun
already. Until decided these are seeds of the baseline, while some finished comparison is still
undecided; until narrow, further seeds of variants whose first five are complete. In a race, and for
factors or a pair, any run may decide, so nothing is begun ahead.

**Until decided** all runs are looked at after 3, 5, 8, 13 and 20 seeds, up to `study.max_seeds`,
which is one of these.
`study.question` is what has to be decided:

- `variants` against `study.baseline`: each is better, worse, or equivalent within `study.margin`.
  One that is decided gets no more seeds. Without a baseline the variants race: one that is shown
  to be worse than another is out.
- `[one variant, another]`: this pair alone.
- `factors`: each of them makes a difference, or none beyond the margin; of an average that an
  interaction contradicts neither counts, a difference at a level of the other factor does. All
  variants go on together. One that is expected to make none has to at each level of those that it
  interacts with.

A variant's name is all its factors in the study's order, with commas and no spaces between them;
because of the commas it stands in quotes within the shell's own:

    A=kernel_size=3,dropout=true,optimizer=adam,data_format=channels_last
    B=kernel_size=5,dropout=true,optimizer=adam,data_format=channels_last
    python pipelines/train.py -m study=factorial study.until=decided study.baseline="'$A'"
    python pipelines/train.py -m study=factorial study.until=decided study.question="['$A','$B']"

In a study's file it is `baseline: kernel_size=3,dropout=true,...`, in a list each in quotes.

Look k has the share w = n / (sum of all n) of the error. An interval at the level c w is a
repeated confidence interval (Jennison & Turnbull 1989): it holds the truth at all looks together,
whenever the study stops. A p value is the least of all looks, each over its share, as far as the
interval at the last look bears it out, and that of the last look where it doesn't: what was shown
early and is gone later isn't told. It goes into Holm's correction like any other. With c = 0.05
both are valid without more ado; for a test that is the only one, c is what 400,000 simulated
studies allow:

{levels}

Seeds decide here, for the same test images: the interval for new seeds and new images stands
beside, and no number of seeds makes it narrower than the images do. How many more seeds would
tell what is open is said as of a study without looks: with them it takes rather more.

**Until narrow** (Stein 1945): the first five seeds of a variant say how many it takes for a 95 %
interval of +-`study.halfwidth` points, and its interval takes its width from these five alone. It
keeps its 95 % also where `study.max_seeds` cuts the second stage short; the interval for new seeds
and new images takes the same width of seeds. Tests, and intervals of anything else, are nominal
then.

`study.seeds` are `common` to all variants, so that what a seed does to all of them leaves their
difference alone: for a pair of the committed factorial's first five seeds its sd is
{sd} points, {sd_independent} between runs that share no seed, so that pairs of common seeds
need about half as many. With `independent` each variant has seeds of its own, drawn from a hash of
its name and the run's number; runs are paired by that number, which costs nothing but degrees of
freedom.

A study whose rule is changed after its first look says so in the first sentence of its report.

## What it costs and saves

Written, like all numbers here, by `make sequential`. A pair of variants whose
difference has an sd of {sd} points over seeds, as in the committed factorial's first five; margin
0.1 points; {studies} simulated studies of each.

{pairs}

![Intervals by look, and seeds until decided](sequential.png)

Sixteen variants that race, {races} simulated studies each; among equals any that is out counts
as the best:

{races_table}

The committed factorial ({seeds} seeds of each variant), had it been looked at:

{replay}
"""


def p_values(differences: Array, margin: float | None = None) -> Array:
    """Return the p values of studies at each look, shape (looks, studies).

    Two-sided of no difference, or of the two tests of equivalence within a margin.

    Parameters
    ----------
    differences : ndarray, shape (studies, seeds)
    """
    found = []
    for count in (count for count in COUNTS if count <= differences.shape[1]):
        there = differences[:, :count]
        mean, error = there.mean(axis=1), there.std(axis=1, ddof=1) / np.sqrt(count)
        if margin is None:
            found.append(2 * stats.t.sf(np.abs(mean) / error, count - 1))
        else:
            found.append(stats.t.sf((margin - np.abs(mean)) / error, count - 1))
    return np.array(found)


def shares(most: int) -> Array:
    """Return the share of the error of each look, shape (looks, 1)."""
    counts = np.array([count for count in COUNTS if count <= most], float)
    return (counts / counts.sum())[:, np.newaxis]


def calibrated(most: int) -> tuple[float, float]:
    """Return c for a difference, and for two tests of equivalence: what keeps 5 % of all looks."""
    generator = np.random.default_rng([SEED, most])
    differences = generator.normal(size=(CALIBRATING, most))
    two_sided = (p_values(differences) / shares(most)).min(axis=0)
    # At the margin only one of the two tests can fail; it is one-sided.
    counts = [count for count in COUNTS if count <= most]
    one_sided = []
    for count in counts:
        there = differences[:, :count]
        t = there.mean(axis=1) / there.std(axis=1, ddof=1) * np.sqrt(count)
        one_sided.append(stats.t.sf(t, count - 1))
    of_one = (np.array(one_sided) / shares(most)).min(axis=0)
    return float(np.quantile(two_sided, ALPHA)), 2 * float(np.quantile(of_one, ALPHA))


@dataclass(frozen=True)
class Pairs:
    """Simulated studies of a pair, stopped when decided."""

    apart: float
    seeds: float
    decided: float
    differs: float
    covered: float
    fixed: int | None


def simulated_pairs(apart: float) -> Pairs:
    """Return what pairs of variants cost that are so many points apart."""
    generator = np.random.default_rng([SEED, round(1000 * apart)])
    differences = generator.normal(apart, pair_sd(), (STUDIES, COUNTS[-1]))
    c, of_equivalence = CALIBRATED[len(COUNTS)]
    of_looks = shares(COUNTS[-1])
    differs = p_values(differences) <= c * of_looks
    alike = p_values(differences, MARGIN) <= of_equivalence / 2 * of_looks
    decided = differs | alike
    stop = np.where(decided.any(axis=0), decided.argmax(axis=0), len(COUNTS) - 1)
    seeds = np.array(COUNTS)[stop]
    power = float(decided.any(axis=0).mean())
    there = np.arange(COUNTS[-1]) < seeds[:, np.newaxis]
    mean = differences.mean(axis=1, where=there)
    error = differences.std(axis=1, ddof=1, where=there) / np.sqrt(seeds)
    half = stats.t.isf(c * of_looks[stop, 0] / 2, seeds - 1) * error
    return Pairs(
        apart=apart,
        seeds=float(seeds.mean()),
        decided=power,
        differs=float(np.take_along_axis(differs, stop[np.newaxis], axis=0).mean()),
        covered=float((np.abs(mean - apart) <= half).mean()),
        fixed=_fixed(apart, power),
    )


def _fixed(apart: float, power: float) -> int | None:
    """Return the fixed number of seeds at which as many such pairs are decided."""
    generator = np.random.default_rng([SEED, round(1000 * apart), 1])
    differences = generator.normal(apart, pair_sd(), (STUDIES, 60))
    for count in range(3, 61):
        there = differences[:, :count]
        mean, error = there.mean(axis=1), there.std(axis=1, ddof=1) / np.sqrt(count)
        differs = 2 * stats.t.sf(np.abs(mean) / error, count - 1) < ALPHA
        alike = stats.t.sf((MARGIN - np.abs(mean)) / error, count - 1) < ALPHA
        if (differs | alike).mean() >= power:
            return count
    return None


def simulated_race(spread: float, number: int) -> tuple[int, bool, bool]:
    """Return trainings of one race of 16, whether it loses the best, and whether it is decided.

    Variants' means have the standard deviation ``spread``, points; all share seeds. Among equals
    any variant that is out counts as the best.
    """
    generator = np.random.default_rng([SEED, RACERS, round(1000 * spread), number])
    means = generator.normal(0, spread, RACERS) if spread else np.zeros(RACERS)
    errors = means[:, np.newaxis] + generator.normal(
        0, pair_sd() / np.sqrt(2), (RACERS, COUNTS[-1])
    )
    looks, seeds = looks_up_to(COUNTS[-1]), np.full(RACERS, COUNTS[0])
    while True:
        now = race([_replicate(name, errors, seeds) for name in range(RACERS)], MARGIN, looks)
        more = {int(name): looks.after(int(seeds[int(name)])) for name in now.open}
        if not any(more.values()):
            break
        for name, count in more.items():
            seeds[name] = count or seeds[name]
    best = np.flatnonzero(means == means.min())
    return int(seeds.sum()), bool({str(own) for own in best} & set(now.out)), not now.open


def _replicate(name: int, errors: Array, seeds: NDArray[np.int64]) -> Replicate:
    count = int(seeds[name])
    nothing = np.zeros((count, 0), np.bool_)
    weights = [f"{name} {seed}" for seed in range(count)]
    own = errors[name, :count].tolist()
    return Replicate(str(name), list(range(count)), own, nothing, weights)


@cache
def factorial() -> Evidence:
    """Return the committed factorial on the full MNIST."""
    return read_evidence(FACTORIAL / "evidence.npz")


@cache
def independent_sd() -> float:
    """Return that of two runs of two variants that share no seed, points."""
    variances = [
        np.var([pilot().test_error(run) for run in pilot().of_variant(name)], ddof=1)
        for name in variants(pilot())
    ]
    return float(np.sqrt(2 * np.mean(variances)))


@cache
def pair_sd() -> float:
    """Return the standard deviation over seeds of a difference of two variants of it, points."""
    seeds = {own: [run.seed for run in pilot().of_variant(own)] for own in variants(pilot())}
    kept = counted_once(seeds, identical_variants(pilot().runs), None)
    replicates = [replicate_of(pilot(), name) for name in kept]
    errors = rows_in_common([own.values for own in replicates], [own.seeds for own in replicates])
    sd, _, _ = difference_sd(errors)
    assert sd is not None
    return sd


# --- the committed factorial, replayed ---


def replayed(evidence: Evidence, study: Study) -> list[dict[str, object]]:
    """Return what looks at a committed study would have decided, and spared."""
    most = max(len(evidence.of_variant(name)) for name in variants(evidence))
    study = replace(study, until="decided", max_seeds=most)
    rows: list[dict[str, object]] = []
    seeds = dict.fromkeys(variants(evidence), COUNTS[0])
    while True:
        there = [run for run in evidence.runs if run.seed < seeds[run.variant]]
        now = progress(replace(evidence, runs=there, stopping=study.stopping()), study)
        rows.append(
            {
                "seeds of a look": max(seeds.values()),
                "trainings so far": len(there),
                "comparisons decided": f"{now.decided} of {now.asked}",
                "variants that go on": len(now.open),
            }
        )
        looks = looks_up_to(most)
        more = {name: count for name in now.open if (count := looks.after(seeds[name]))}
        if not more:
            return rows
        seeds |= more


def draw(pairs: Sequence[Pairs], path: Path) -> None:
    """Draw one study's interval narrowing look by look, and the seeds that rules take."""
    generator = np.random.default_rng(SEED)
    differences = generator.normal(0.1, pair_sd(), COUNTS[-1])
    looks = looks_up_to(COUNTS[-1])
    with mpl.rc_context(STYLE):
        figure = new_figure(9, 3.4)
        left, right = figure.subplots(1, 2)
        for place, count in enumerate(COUNTS):
            there = differences[:count]
            error = there.std(ddof=1) / np.sqrt(count)
            half = stats.t.ppf((1 + looks.confidence(count)) / 2, count - 1) * error
            naive = stats.t.ppf(0.975, count - 1) * error
            left.plot([place] * 2, there.mean() + np.array([-half, half]), color=BLUE, lw=2)
            left.plot(
                [place + 0.15] * 2, there.mean() + np.array([-naive, naive]), color=GREY, lw=2
            )
            left.plot(place, there.mean(), "o", color=BLUE, ms=4)
        left.axhline(0, color="black", lw=0.8)
        left.set_xticks(range(len(COUNTS)), [str(count) for count in COUNTS])
        left.set_xlabel("seeds at a look")
        left.set_ylabel("difference, points")
        left.set_title("One study: repeated intervals (blue),\nfor one look alone (grey)", size=9)
        places = np.arange(len(pairs))
        right.bar(places - 0.2, [pair.fixed or np.nan for pair in pairs], 0.4, color=GREY)
        right.bar(places + 0.2, [pair.seeds for pair in pairs], 0.4, color=BLUE)
        right.set_xticks(places, [f"{pair.apart:g}" for pair in pairs])
        right.set_xlabel("true difference, points")
        right.set_ylabel("seeds")
        right.set_title("Seeds until decided (blue, mean),\nfixed before (grey)", size=9)
        right.grid(axis="x", visible=False)
        save(figure, path)


def raced() -> dict[float, list[tuple[int, bool, bool]]]:
    """Return simulated races by the spread of their variants, points."""
    spreads = (0.0, 0.1, 0.3)
    with ProcessPoolExecutor() as pool:
        return {
            spread: list(pool.map(simulated_race, [spread] * RACES, range(RACES), chunksize=10))
            for spread in spreads
        }


def main() -> None:
    """Simulate and replay, and write docs/sequential.md and its picture."""
    pairs = [simulated_pairs(apart) for apart in APART]
    draw(pairs, ROOT / "docs" / "sequential.png")
    study, committed = check_study(compose_config(["study=factorial"])), factorial()
    tables = {
        "levels": [calibration_row(most) for most in COUNTS],
        "pairs": [pair_row(pair) for pair in pairs],
        "races_table": [race_row(spread, races) for spread, races in raced().items()],
        "replay": replayed(committed, study),
    }
    written = {
        name: tabulate(rows, headers="keys", tablefmt="pipe", disable_numparse=True)
        for name, rows in tables.items()
    }
    text = TEXT.format(
        sd=f"{pair_sd():.3f}",
        sd_independent=f"{independent_sd():.3f}",
        studies=f"{STUDIES:,}",
        races=RACES,
        seeds=max(len(committed.of_variant(name)) for name in variants(committed)),
        **written,
    )
    (ROOT / "docs" / "sequential.md").write_text(text, encoding="utf-8")


def calibration_row(most: int) -> dict[str, str]:
    """Return what c is by simulation, and which one is in use."""
    number = len(looks_up_to(most).counts)
    simulated, in_use = calibrated(most), CALIBRATED[number]
    return {
        "looks": str(number),
        "seeds, at most": str(most),
        "c of a difference": f"{simulated[0]:.4f}",
        "in use": f"{in_use[0]:.4f}",
        "c of equivalence": f"{simulated[1]:.4f}",
        "in use, of equivalence": f"{in_use[1]:.4f}",
    }


def pair_row(pair: Pairs) -> dict[str, str]:
    """Return what a pair takes."""
    return {
        "true difference, points": f"{pair.apart:g}",
        "seeds until decided, mean": f"{pair.seeds:.1f}",
        "decided within 20, %": f"{100 * pair.decided:.0f}",
        "found to differ, %": f"{100 * pair.differs:.1f}",
        "interval holds it, %": f"{100 * pair.covered:.1f}",
        "fixed seeds that decide as many": str(pair.fixed or "over 60"),
        "fewer, %": f"{100 * (1 - pair.seeds / pair.fixed):.0f}" if pair.fixed else "-",
    }


def race_row(spread: float, races: Sequence[tuple[int, bool, bool]]) -> dict[str, str]:
    """Return what a race takes."""
    trainings, lost, decided = np.array(races, float).mean(axis=0)
    most = RACERS * COUNTS[-1]
    return {
        "sd of the variants' means, points": f"{spread:g}",
        "trainings, mean": f"{trainings:.0f}",
        f"fewer than {most}, %": f"{100 * (1 - trainings / most):.0f}",
        "the best is out, %": f"{100 * lost:.1f}",
        "decided, %": f"{100 * decided:.0f}",
    }


if __name__ == "__main__":
    main()
