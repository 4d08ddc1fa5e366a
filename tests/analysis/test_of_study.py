"""What is told of a study's factors, and of levels that were expected to make no difference."""

from dataclasses import replace

import numpy as np
import pytest

from sidebyside.analysis.analyse import analyse
from sidebyside.config.schema import Study


def shifted(evidence, run, images):
    """Return a run that errs on so many images more, or fewer, as another network."""
    wrong = run.predicted != evidence.target
    predicted = run.predicted.copy()
    if images > 0:
        more = np.flatnonzero(~wrong)[:images]
        predicted[more] = (evidence.target[more] + 1) % 10
    else:
        fewer = np.flatnonzero(wrong)[:-images]
        predicted[fewer] = evidence.target[fewer]
    return replace(run, predicted=predicted, weights_digest=f"of {run.key}")


def by_layout(evidence, images):
    """Return evidence whose channels_first runs have so many more errors, by optimizer."""
    runs = [
        shifted(evidence, run, images[run.factors["optimizer"]])
        if run.factors["data_format"] == "channels_first"
        else run
        for run in evidence.runs
    ]
    return replace(evidence, runs=runs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("images", "contradicted", "equivalent"),
    [
        ({"adam": 30, "adadelta": -30}, ["optimizer"], False),
        ({"adam": 1, "adadelta": 1}, [], True),
    ],
)
def test_levels_are_equivalent_only_where_no_interaction_says_otherwise(
    committed_factorial, images, contradicted, equivalent
):
    study = Study(name="factorial", expected_equal=["data_format"])
    analysis = analyse(by_layout(committed_factorial, images), study, [])
    (entry,) = analysis.content["equivalence"]
    assert entry["p_holm"] < 0.05  # on average
    assert (entry["contradicted_by"], entry["equivalent"]) == (contradicted, equivalent)


def test_levels_that_are_not_the_first_are_held_against_each_other(committed_factorial):
    """Of three levels of which the second and the third are equal at each optimizer."""
    other = [
        replace(
            shifted(committed_factorial, run, 1 + 29 * (run.factors["optimizer"] == "adam")),
            factors=run.factors | {"data_format": name},
            variant=run.variant.replace("channels_last", name),
            weights_digest=f"{name} {run.key}",
        )
        for name in ("second", "third")
        for run in committed_factorial.runs
        if run.factors["data_format"] == "channels_last"
    ]
    kept = [r for r in committed_factorial.runs if r.factors["data_format"] == "channels_last"]
    evidence = replace(committed_factorial, runs=[*kept, *other])
    study = Study(name="factorial", expected_equal=["data_format"])
    found = {
        tuple(entry["levels"]): entry["contradicted_by"]
        for entry in analyse(evidence, study, []).content["equivalence"]
    }
    assert found == {
        ("channels_last", "second"): ["optimizer"],
        ("channels_last", "third"): ["optimizer"],
        ("second", "third"): [],
    }


def test_the_only_factor_is_told_by_its_pairs_alone(committed_factorial):
    """Its effects would be the same tests in another family, with other p values."""

    def told(kernels, levels):
        runs = [
            replace(run, factors={"net": run.variant})
            for run in committed_factorial.runs
            if run.factors["kernel_size"] in kernels and run.factors["dropout"]
        ][: 5 * levels]
        study = Study(name="factorial")
        content = analyse(replace(committed_factorial, runs=runs), study, []).content
        return content["effects"]["main"], content["pairs"]

    main, pairs = told([3, 5], 4)
    assert (main, len(pairs)) == ([], 6)
    (effect,), (pair,) = told([3], 2)
    assert effect["p_holm"] == pytest.approx(pair["p_holm"])


def test_where_seeds_are_missing_a_factor_of_two_levels_is_told_by_its_pair(committed_factorial):
    names = dict.fromkeys(run.variant for run in committed_factorial.runs if run.factors["dropout"])
    a, b, *_ = names
    runs = [
        replace(run, factors={"net": run.variant})
        for run in committed_factorial.runs
        if (run.variant == a and run.seed < 3) or (run.variant == b and run.seed < 2)
    ]
    content = analyse(replace(committed_factorial, runs=runs), Study(name="factorial"), []).content
    assert content["effects"]["main"] == []
    assert [pair["n"] for pair in content["pairs"]] == [2]
