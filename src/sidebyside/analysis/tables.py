"""What the statistics take from evidence: replicates, and tables of runs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from sidebyside.analysis.intervals import rounding_variance
from sidebyside.analysis.looks import looks_of
from sidebyside.analysis.metrics.replicate import Replicate
from sidebyside.analysis.metrics.scores import WORST_LOSS, Scores, least_variance
from sidebyside.analysis.selection import Candidate, validation_figure
from sidebyside.config.metrics import ERROR
from sidebyside.config.protocols import TEST_AS_VALIDATION
from sidebyside.storage.evidence import Evidence, RunEvidence


def variants(evidence: Evidence) -> list[str]:
    """Return the names of a study's variants, in the order of its grid."""
    return list(dict.fromkeys(run.variant for run in evidence.runs))


def replicates_of(evidence: Evidence) -> dict[str, Replicate]:
    """Return the runs of each variant as the statistics take them."""
    least = least_variance_of(evidence)
    return {name: replicate_of(evidence, name, least) for name in variants(evidence)}


def replicate_of(evidence: Evidence, variant: str, least: float | None = None) -> Replicate:
    """Return the runs of a variant as the statistics take them.

    ``least`` is what `least_variance_of` returns, where that is known.
    """
    runs = evidence.of_variant(variant)
    scores = scores_of(runs, evidence)
    return Replicate(
        name=variant,
        seeds=[run.seed for run in runs],
        values=[evidence.value(run) for run in runs],
        scores=scores if evidence.folds == 1 else scores[:, :0],  # no two seeds share their images
        weights=[run.weights_digest for run in runs],
        metric=evidence.metric,
        least_variance=least_variance_of(evidence) if least is None else least,
        folds=evidence.folds,
    )


def scores_of(runs: Sequence[RunEvidence], evidence: Evidence) -> Scores:
    """Return the score of each image, shape (runs, images): whether it is wrong, for the error."""
    return np.stack([evidence.scores(run) for run in runs])


def least_variance_of(evidence: Evidence) -> float:
    """Return the variance that is left in a run's value whatever its runs show.

    Under cross-validation it is that of the smallest fold.
    """
    if not evidence.metric.by_image:
        return 0.0
    if evidence.metric == ERROR and evidence.folds == 1:
        return rounding_variance(len(evidence.target))
    tested = min((run.tested for run in evidence.runs), key=np.count_nonzero)
    scores = [evidence.scores(run)[run.tested] for run in evidence.runs]
    return least_variance(evidence.metric, evidence.target[tested], scores)


def factor_table(evidence: Evidence) -> pd.DataFrame:
    """Return a row per run: its level of each factor, ``seed`` and ``test_value`` by the metric."""
    rows = [
        run.factors | {"seed": run.seed, "test_value": evidence.value(run)} for run in evidence.runs
    ]
    table = pd.DataFrame(rows, dtype=object)  # else pandas makes a level 3 beside null 3.0
    return table.astype({"seed": int, "test_value": float})


def equivalence_table(evidence: Evidence) -> pd.DataFrame:
    """Return `factor_table` with the digest of each run's ``weights``."""
    return factor_table(evidence).assign(weights=[run.weights_digest for run in evidence.runs])


def in_step(evidence: Evidence) -> Evidence:
    """Return evidence without what some variants have more than others, decided on at a look.

    Which they are depends on errors, so that factors would seem to do what the choice did. Nothing
    is left where the variants have no seed in common yet.
    """
    looks = looks_of(evidence.stopping)
    if looks is None:
        return evidence
    common = set.intersection(
        *({run.seed for run in evidence.of_variant(name)} for name in variants(evidence))
    )
    kept = sorted(common)[: looks.reached(len(common))]
    return replace(evidence, runs=[run for run in evidence.runs if run.seed in kept])


def candidates_of(
    evidence: Evidence, names: Sequence[str], replicates: Mapping[str, Replicate]
) -> list[Candidate]:
    """Return variants to choose from, none where one of them has no validation images."""
    metric, candidates = evidence.metric, []
    figure = f"val_{'loss' if validation_figure(metric) == 'loss' else 'accuracy'}"
    of_errors = rounding_variance(len(evidence.target))
    rounding = (of_errors if figure == "val_accuracy" else 0.0, least_variance_of(evidence))
    for variant in names:
        runs = evidence.of_variant(variant)
        if any(r.protocol in TEST_AS_VALIDATION or figure not in r.history for r in runs):
            return []
        candidates.append(
            Candidate(
                name=variant,
                seeds=replicates[variant].seeds,
                validation=[_validation(run.history[figure][-1], figure) for run in runs],
                test=replicates[variant].values,
                metric=metric,
                rounding=rounding,
            )
        )
    return candidates


def _validation(value: float, figure: str) -> float:
    """Return what a variant is chosen by, lower is better: a loss, or an error in percent.

    A loss that is no number, as the run diverged, is the worst there is.
    """
    if figure == "val_loss":
        return value if math.isfinite(value) else WORST_LOSS
    return 100 * (1 - value)
