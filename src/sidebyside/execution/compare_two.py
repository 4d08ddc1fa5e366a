"""Two variants, two studies or two runs held against each other."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sidebyside import paths
from sidebyside.analysis.asked import as_asked
from sidebyside.analysis.looks import Looks, looks_of
from sidebyside.analysis.metrics.replicate import Replicate
from sidebyside.analysis.metrics.scores import least_variance, scores_by_image, value_of_run
from sidebyside.analysis.pairs import Pair, compare_pairs
from sidebyside.analysis.tables import replicate_of, variants
from sidebyside.config.datasets import Dataset
from sidebyside.config.protocols import FOLDS
from sidebyside.config.schema import Study, Tracking
from sidebyside.data.arrays import open_arrays
from sidebyside.errors import UserError
from sidebyside.execution.evaluate import evaluate
from sidebyside.report.gathering import gather
from sidebyside.storage import journal, store
from sidebyside.storage.evidence import Evidence
from sidebyside.storage.store import Run
from sidebyside.tracking.lookup import find_run, may_name_run

_BETWEEN_FACTORS = re.compile(r",(?=[^,=]+=)")  # in the name of a variant, and in no level's list


def compare_two(
    first: str,
    second: str,
    dataset: Dataset,
    study: Study,
    studies: Mapping[str, Study],
    tracking: Tracking,
) -> list[Pair]:
    """Return the comparison of two things with the same kind of name.

    Parameters
    ----------
    first, second : str
        Two variants of ``study``, e.g. "kernel_size=3,dropout=true"; or two studies, of which the
        variants that both have are compared; or two run keys or MLflow run ids.
    dataset : Dataset
    study : Study
        The one whose variants may be named.
    studies : dict of Study
        Those that may be named.
    tracking : Tracking

    Raises
    ------
    UserError
        If a name is unknown, the two are of different kinds or were tested on other images.
    """
    if first == second:
        raise _itself(first)
    if first in studies and second in studies:
        return _studies(studies[first], studies[second], dataset)
    if "=" in first and "=" in second:
        evidence = gather(dataset, study, allow_partial=True)
        a, b = (_variant(evidence, name) for name in (first, second))
        if a.name == b.name:
            raise _itself(a.name)
        margin = as_asked(study, evidence.stopping).margin
        return compare_pairs([a, b], [(a.name, b.name)], margin, looks=_looks([evidence]))
    for name in (first, second):
        if not may_name_run(name):
            raise UserError(
                f"{first} and {second} can't be held against each other: name two variants of "
                f"study={study.name}, as kernel_size=3,dropout=true, two studies in conf/study/, "
                "or two runs by their keys or MLflow's ids."
            )
    runs = [find_run(name, tracking) for name in (first, second)]
    if runs[0].key == runs[1].key:
        raise _itself(f"run {runs[0].key[:12]}")
    return _runs(runs, study)


def _itself(name: str) -> UserError:
    return UserError(f"{name} against itself says nothing: name two.")


def _studies(first: Study, second: Study, dataset: Dataset) -> list[Pair]:
    """Return each variant of one study against the same of the other."""
    if first.metric != second.metric:
        raise UserError(
            f"study={first.name} is judged by {first.judged_by.chosen} and study={second.name} by "
            f"{second.judged_by.chosen}: compare two that are judged alike."
        )
    pieces = [gather(dataset, study, allow_partial=True) for study in (first, second)]
    if len({evidence.folds for evidence in pieces}) > 1:
        raise UserError(
            f"study={first.name} and study={second.name} don't test on the same images, as not "
            "both are a cross-validation of so many folds: compare two variants of one study "
            "instead."
        )
    names, others = (variants(evidence) for evidence in pieces)
    common = [name for name in names if name in others]
    if not common:
        raise UserError(
            f"study={first.name} and study={second.name} have no variant in common: compare two "
            "variants of one study instead."
        )
    replicates, pairs = [], []
    for name in common:
        named = [f"{name} ({study.name})" for study in (first, second)]
        replicates += [
            replace(replicate_of(evidence, name), name=label)
            for evidence, label in zip(pieces, named, strict=True)
        ]
        pairs.append((named[0], named[1]))
    margin = as_asked(first, pieces[0].stopping).margin
    return compare_pairs(replicates, pairs, margin, looks=_looks(pieces))


def _looks(pieces: Sequence[Evidence]) -> Looks | None:
    """Return the looks at which seeds were added to any of some studies, None where to none.

    Those of several are the ones of the study that may grow most.
    """
    growing = [looks for evidence in pieces if (looks := looks_of(evidence.stopping))]
    return max(growing, key=lambda looks: looks.counts[-1], default=None)


def _variant(evidence: Evidence, name: str) -> Replicate:
    """Return a variant's runs, its levels named in any order."""
    asked = sorted(_BETWEEN_FACTORS.split(name))
    for variant in variants(evidence):
        if sorted(_BETWEEN_FACTORS.split(variant)) == asked:
            return replicate_of(evidence, variant)
    near = difflib.get_close_matches(name, variants(evidence), n=3, cutoff=0)
    raise UserError(
        f"{name} is no variant of study={evidence.study} on dataset={evidence.dataset}: did you "
        f"mean {' or '.join(near)}?"
    )


def _runs(runs: Sequence[Run], study: Study) -> list[Pair]:
    """Return one run against another; they are paired by image alone."""
    if len({run.recipe.dataset for run in runs}) > 1:
        raise UserError("These runs are of different datasets: compare two of the same.")
    if any(run.recipe.protocol in FOLDS for run in runs):
        raise UserError(
            "Runs under cross-validation are tested on a fold each, and by images they can't be "
            "paired: compare the variants of their study instead."
        )
    replicates = []
    for run in map(store.adopt, runs):  # where it came with results alone
        with store.locked(run.key):
            evaluation = evaluate(run)
        target, metric = _target(run), study.judged_by
        probabilities = evaluation.read("probabilities")
        scores = scores_by_image(metric, probabilities, target)
        replicates.append(
            Replicate(
                name=run.key[:12],
                seeds=[0],  # paired as one seed, whatever the two were
                values=[value_of_run(metric, probabilities, target, scores)],
                scores=scores[np.newaxis],
                weights=[run.weights_digest],
                metric=metric,
                least_variance=least_variance(metric, target, [scores]),
            )
        )
    names = [replicate.name for replicate in replicates]
    return compare_pairs(replicates, [(names[0], names[1])], study.margin)


def _target(run: Run) -> NDArray[np.uint8]:
    arrays = open_arrays(paths.processed(run.recipe.dataset, run.recipe.data_format))
    assert arrays is not None, "evaluate() has opened them"
    with journal.looking("compare", [run.key]):
        return arrays.read("test_classes")
