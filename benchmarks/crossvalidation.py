"""Whether the corrected resampled t test keeps its word: docs/crossvalidation.md.

make crossvalidation
"""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from sidebyside.analysis.equivalence import tost
from sidebyside.analysis.intervals import mean_estimate
from sidebyside.analysis.power import ALPHA
from sidebyside.config.protocols import FOLDS
from sidebyside.data.folds import Indices, divide_by_seed

ROOT = Path(__file__).resolve().parents[1]
SEED = 1  # of the simulation
STUDIES = 2000
IMAGES = (100, 500)
REPETITIONS = (1, 2, 10)
FEATURES = 10  # of an image that each of the two variants sees
APART = 1.7  # the means of the two classes, in standard deviations
LESS_APART = 1.4  # in the features of the variant that is worse
NAIVE, CORRECTED = "naive test finds falsely, %", "corrected, %"  # columns
LEARNERS = ("nearest mean", "nearest neighbour")

Array = NDArray[np.float64]

TEXT = """# Cross-validation: datasets too small for one split

With a few hundred images one split leaves either too few to train on or too few to test on. Under
`protocol=kfold5` or `kfold10` all training images do both, in turn:

    python pipelines/train.py -m study=crossvalidation dataset=digits training.seeds=10
    python pipelines/compare.py study=crossvalidation dataset=digits

Any other study takes it too: in its file, or on the command line where it has no report of another
protocol yet.

**What a run is.** The *training images* are divided into k folds, stratified by class, and a run is
trained on k - 1 of them and tested on the fold that is left. Seed s holds out fold s mod k of
repetition s div k; each repetition divides all images anew. So k seeds in a row test each image
once, `training.seeds` is a multiple of k, and runs with one seed have the same division whatever
their variant: they are paired by seed as ever. A run key has the digest of the division in it;
resuming, `verify bits`, MLflow and DVC work as with any other protocol. The dataset's *test images
aren't opened*: they stay for whoever wants to confirm what came out, `protocol=clean` say. A class
with fewer images than folds is refused.

**The test.** Two runs of a repetition with 5 folds share three quarters of their training images,
and runs of different repetitions share images as well. Their errors go together, so the variance of
n of them, divided by n, is too small. All intervals and tests over seeds (pairs, equivalence,
factors, power, smaller variants that are no worse, the mean of a variant) take the variance of the
mean to be

    (1 / n + n_test / n_train) s^2,  n - 1 degrees of freedom,  n_test / n_train = 1 / (k - 1)

(Nadeau & Bengio 2003, "Inference for the generalization error", Machine Learning 52: 239-281; for
repeated folds Bouckaert & Frank 2004, "Evaluating the replicability of significance tests for
comparing learning algorithms"). Such an interval is for other seeds and other images, in training
too.

**Its limits.**

- It is an approximation. It takes the errors of two runs to be correlated by 1 / k, whatever the
  network and the images; no estimator of this variance is without bias for all of them (Bengio &
  Grandvalet 2004, "No unbiased estimator of the variance of k-fold cross-validation"). Below,
  simulation says how far off it is.
- Repetitions aren't independent: they divide the same images. However many there are, the
  standard error stays above s / sqrt(k - 1), but n - 1 degrees of freedom grow with them as if they
  were. So one or two repetitions are what the test is good for; with ten it may find too much.
- It is about networks trained on (k - 1) / k of the images, which err somewhat more than one that
  is trained on all of them.
- The lowest error of many variants flatters whoever chose by it. Nothing validates, so there is no
  choice by validation error, and without `study.baseline` the first variant of the grid is the
  baseline; `training.patience` and `training.keep=best` are refused.
- With `normalisation: standardise` means and standard deviations of the channels are those of all
  training images, held-out ones too; labels take no part in it.
- Training images that are there twice, pixel by pixel, may train and test the same run: the report
  looks for copies among the test images only, and these aren't opened here.
- Any `study.metric` that is a mean over images takes the place of the error, each run judged by its
  own fold: the balanced error by the classes of the fold. Simulated are errors alone.

**What is left out**, as no two seeds of a variant are tested on the same images: intervals and
tests over images, McNemar's test, ensembles, the images that variants disagree on, disputed
labels. Refused are rules that add seeds (`study.until`), seeds of each variant's own, several
protocols in one study, `verify claims` (fresh seeds divide the same images anew, so they wouldn't
test a claim afresh), two single runs held against each other, and `study.metric=calibration_error`:
it is no mean over images, which the correction is for, and is the larger the fewer there are.

## What simulation says

{studies} simulated studies a row, with training sets that really overlap: images are {features} +
{features} Gaussian numbers, in two classes whose means are {apart:g} standard deviations apart, and
two variants see half of the numbers each, so that they err alike. They are trained and tested by
the divisions above. "Naive" is the paired t test without the correction; a test that keeps its word
finds a difference falsely in {alpha:.0f} % of the studies. "Holds the mean": 95 % intervals of the
mean error of a variant. In the last three columns the second variant's classes are {less:g} apart:
how often the corrected test finds that the two differ, and how often they are said to be equivalent
with that very difference as the margin, which should happen in {alpha:.0f} % at most.

{table}

The naive test finds differences that aren't there in {naive} % of the studies, the more the more
often images are divided. The corrected one does in {once} % with one repetition, in {twice} % with
two and in {often} % with ten. It is careful with a learner that single images change little
(nearest mean), and up to twice too sure of one that they change much (nearest neighbour), the more
often they are divided. Written by `make crossvalidation`.
"""


@dataclass(frozen=True)
class Setting:
    """What is simulated."""

    learner: str
    images: int
    protocol: str

    @property
    def folds(self) -> int:
        """How many folds there are."""
        return FOLDS[self.protocol]


def main() -> None:
    """Write docs/crossvalidation.md."""
    settings = [Setting(*own) for own in product(LEARNERS, IMAGES, FOLDS)]
    with ProcessPoolExecutor(2) as pool:
        rows = [row for own in pool.map(rows_of, settings) for row in own]
    text = TEXT.format(
        studies=f"{STUDIES:,}",
        features=FEATURES,
        apart=APART,
        less=LESS_APART,
        alpha=100 * ALPHA,
        table=tabulate(rows, headers="keys", tablefmt="pipe", disable_numparse=True),
        naive=_range(rows, NAIVE),
        **{
            name: _range([row for row in rows if row["repetitions"] == str(times)], CORRECTED)
            for name, times in zip(("once", "twice", "often"), REPETITIONS, strict=True)
        },
    )
    (ROOT / "docs" / "crossvalidation.md").write_text(text, encoding="utf-8")


def _range(rows: Sequence[dict[str, str]], column: str) -> str:
    values = [float(row[column]) for row in rows]
    return f"{min(values):.0f} to {max(values):.0f}"


def rows_of(setting: Setting) -> list[dict[str, str]]:
    """Return a row for each number of repetitions."""
    alike = simulated(setting, APART, STUDIES)
    unlike = simulated(setting, LESS_APART, STUDIES)
    return [_row(setting, times, alike, unlike) for times in REPETITIONS]


def _row(setting: Setting, times: int, alike: Array, unlike: Array) -> dict[str, str]:
    runs, folds = times * setting.folds, setting.folds
    first, gaps = alike[:, 0, :runs], alike[:, 1, :runs] - alike[:, 0, :runs]
    apart = unlike[:, 1, :runs] - unlike[:, 0, :runs]
    margin = float(apart.mean())
    equivalent = [tost(own, margin, folds=folds).p or 0 for own in apart.tolist()]
    return {
        "learner": setting.learner,
        "images": str(setting.images),
        "folds": str(folds),
        "repetitions": str(times),
        NAIVE: f"{100 * found(gaps):.1f}",
        CORRECTED: f"{100 * found(gaps, folds):.1f}",
        "naive holds the mean, %": f"{100 * holds(first):.1f}",
        "corrected holds it, %": f"{100 * holds(first, folds):.1f}",
        "true difference, points": f"{margin:.1f}",
        "corrected finds it, %": f"{100 * found(apart, folds):.0f}",
        "falsely equivalent, %": f"{100 * np.mean(np.array(equivalent) < ALPHA):.1f}",
    }


def found(differences: Array, folds: int = 1) -> float:
    """Return the share of studies, a row each, whose test finds a difference."""
    estimates = [mean_estimate(own, folds=folds) for own in differences.tolist()]
    return float(np.mean([own is not None and own.p < ALPHA for own in estimates]))


def holds(errors: Array, folds: int = 1) -> float:
    """Return the share of studies, a row each, whose interval holds the mean of all studies."""
    truth = float(errors.mean())
    ends = [own.ends() for row in errors.tolist() if (own := mean_estimate(row, folds=folds))]
    return float(np.mean([low <= truth <= high for low, high in ends]))


def simulated(setting: Setting, apart: float, studies: int) -> Array:
    """Return the error of each run, percent: shape (studies, 2 variants, seeds).

    ``apart`` are the means of the classes as the second variant sees them.
    """
    rng = np.random.default_rng([SEED, setting.images, setting.folds, round(100 * apart)])
    labels = np.arange(setting.images) % 2
    seeds = range(setting.folds * REPETITIONS[-1])
    divisions = [_division(setting.protocol, setting.images, seed) for seed in seeds]
    errors = partial(errors_of, setting.learner, labels, divisions)
    found = np.empty((studies, 2, len(seeds)))
    for study in range(studies):
        for variant, own in enumerate((APART, apart)):
            points = rng.standard_normal((setting.images, FEATURES))
            points[:, 0] += own * labels
            found[study, variant] = errors(points)
    return found


@cache
def _division(protocol: str, images: int, seed: int) -> tuple[Indices, Indices]:
    return divide_by_seed(protocol, np.arange(images) % 2, seed)


def errors_of(
    learner: str,
    labels: NDArray[np.int_],
    divisions: list[tuple[Indices, Indices]],
    points: Array,
) -> list[float]:
    """Return the errors, percent, of a learner that is trained and tested on each division."""
    inner = points @ points.T
    squares = np.diag(inner)
    distances = squares[:, np.newaxis] + squares - 2 * inner
    errors = []
    for training, held_out in divisions:
        if learner == "nearest neighbour":
            nearest = distances[np.ix_(held_out, training)].argmin(axis=1)
            predicted = labels[training][nearest]
        else:
            trained, known = points[training], labels[training]
            means = [trained[known == label].mean(axis=0) for label in (0, 1)]
            middle = (means[0] + means[1]) / 2
            predicted = (points[held_out] - middle) @ (means[1] - means[0]) > 0
        errors.append(100 * float((predicted != labels[held_out]).mean()))
    return errors


if __name__ == "__main__":
    main()
