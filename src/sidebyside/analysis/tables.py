"""What the statistics take from evidence: replicates, and tables of runs."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sidebyside.analysis.looks import looks_of
from sidebyside.analysis.pairs import Replicate
from sidebyside.storage.evidence import Evidence, RunEvidence


def variants(evidence: Evidence) -> list[str]:
    """Return the names of a study's variants, in the order of its grid."""
    return list(dict.fromkeys(run.variant for run in evidence.runs))


def replicate_of(evidence: Evidence, variant: str) -> Replicate:
    """Return the runs of a variant as the statistics take them."""
    runs = evidence.of_variant(variant)
    wrong = wrong_predictions(runs, evidence)
    return Replicate(
        name=variant,
        seeds=[run.seed for run in runs],
        errors=[evidence.test_error(run) for run in runs],
        wrong=wrong if evidence.folds == 1 else wrong[:, :0],  # no two seeds share their images
        weights=[run.weights_digest for run in runs],
        folds=evidence.folds,
        tested=evidence.tested,
    )


def wrong_predictions(runs: Sequence[RunEvidence], evidence: Evidence) -> NDArray[np.bool_]:
    """Return whether each prediction is wrong, shape (runs, images)."""
    return np.stack([run.predicted != evidence.target for run in runs])


def factor_table(evidence: Evidence) -> pd.DataFrame:
    """Return a row per run: its level of each factor, ``seed`` and ``test_error`` (percent)."""
    rows = [
        run.factors | {"seed": run.seed, "test_error": evidence.test_error(run)}
        for run in evidence.runs
    ]
    table = pd.DataFrame(rows, dtype=object)  # else pandas makes a level 3 beside null 3.0
    return table.astype({"seed": int, "test_error": float})


def equivalence_table(evidence: Evidence) -> pd.DataFrame:
    """Return `factor_table` with the digest of each run's ``weights``."""
    return factor_table(evidence).assign(weights=[run.weights_digest for run in evidence.runs])


def in_step(evidence: Evidence) -> Evidence:
    """Return evidence without what some variants have more than others, decided on at a look.

    Which they are depends on errors, so that factors would seem to do what the choice did.
    """
    looks = looks_of(evidence.stopping)
    if looks is None:
        return evidence
    common = set.intersection(
        *({run.seed for run in evidence.of_variant(name)} for name in variants(evidence))
    )
    kept = sorted(common)[: looks.reached(len(common))]
    return replace(evidence, runs=[run for run in evidence.runs if run.seed in kept])
