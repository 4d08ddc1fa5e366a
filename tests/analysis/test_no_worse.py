"""Smaller networks that are no worse: which are held against which, and what is shown."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from sidebyside.analysis.analyse import analyse
from sidebyside.analysis.cost.no_worse import no_worse_than
from sidebyside.analysis.cost.sizes import Size, sizes
from sidebyside.analysis.looks import Looks
from sidebyside.analysis.metrics.replicate import Replicate
from sidebyside.config.schema import Study
from sidebyside.storage.evidence_files import read_evidence

REPORTS = Path(__file__).resolve().parents[2] / "reports"
SIZES = {
    "large": Size(1000, 5000),
    "small": Size(400, 3000),
    "smallest": Size(100, 900),
    "more to compute": Size(400, 9000),
    "own": Size(300, None),
    "same": Size(1000, 5000),
}


def replicate(name, errors):
    nothing = np.zeros((len(errors), 0), bool)
    weights = [f"{name} {seed}" for seed in range(len(errors))]
    return Replicate(name, list(range(len(errors))), list(errors), nothing, weights)


@pytest.fixture
def replicates():
    generator = np.random.default_rng(3)
    shifts = {"small": 0.0, "smallest": 0.5, "more to compute": 0.0, "own": 0.0, "same": 0.0}
    large = 2 + 0.1 * generator.standard_normal(8)
    own = [replicate("large", large)]
    for name, shift in shifts.items():
        own.append(replicate(name, large + shift + 0.02 * generator.standard_normal(8)))
    return own


def test_what_costs_less_of_all_is_tested_and_nothing_else(replicates):
    tests = no_worse_than(replicates[0], replicates, SIZES, margin=0.1)
    assert [test.smaller for test in tests] == ["small", "smallest", "own"]
    assert [test.shown for test in tests] == [True, False, True]
    assert {test.larger for test in tests} == {"large"}


def test_it_is_the_one_sided_paired_t_test(replicates):
    tests = {t.smaller: t for t in no_worse_than(replicates[0], replicates, SIZES, margin=0.1)}
    for own in replicates:
        if own.name not in tests:
            continue
        differences = np.subtract(own.values, replicates[0].values)
        expected = stats.ttest_1samp(differences, 0.1, alternative="less")
        assert tests[own.name].p == pytest.approx(expected.pvalue, rel=1e-9)
        _, high = stats.t.interval(0.9, 7, np.mean(differences), stats.sem(differences))
        assert tests[own.name].worst == pytest.approx(high)
    ordered = sorted(test.p for test in tests.values())
    assert min(test.p_holm for test in tests.values()) == pytest.approx(3 * ordered[0])


def test_folds_correct_its_variance(replicates):
    folded = [replace(own, folds=5) for own in replicates]
    tests = {t.smaller: t for t in no_worse_than(folded[0], folded, SIZES, margin=0.1)}
    differences = np.subtract(folded[1].values, folded[0].values)
    error = np.sqrt((1 / 8 + 1 / 4) * differences.var(ddof=1))
    assert tests["small"].p == pytest.approx(stats.t.cdf((differences.mean() - 0.1) / error, 7))
    assert tests["small"].worst == pytest.approx(stats.t.ppf(0.95, 7, differences.mean(), error))


def test_a_baseline_that_was_chosen_costs_power(replicates):
    few = no_worse_than(replicates[0], replicates, SIZES, margin=0.1)
    many = no_worse_than(replicates[0], replicates, SIZES, margin=0.1, chosen_from=15)
    assert min(test.p_holm for test in many) == pytest.approx(15 * min(test.p for test in few))


@pytest.mark.parametrize("baseline", [None, "preset=adam_3x3_20_epochs"])
def test_a_baseline_that_a_race_has_chosen_costs_power_too(baseline):
    evidence = read_evidence(REPORTS / "mnist" / "published_clean" / "evidence.npz")
    rule = {"until": "decided", "max_seeds": 20, "question": "variants", "margin": 0.6}
    race = replace(evidence, stopping=rule | {"baseline": baseline})
    content = analyse(race, Study("published_clean", margin=0.6, baseline=baseline), []).content
    tests = [test for test in content["no_worse"] if test["p"] is not None]
    variants = len({run.variant for run in evidence.runs})
    factor = len(tests) if baseline else math.comb(variants, 2)
    least = min(tests, key=lambda test: test["p"])
    assert least["p_holm"] == pytest.approx(min(1, factor * least["p"]))
    assert least["p_holm"] < 1


def test_with_two_seeds_nothing_is_shown(replicates):
    two = [replicate(own.name, own.values[:2]) for own in replicates]
    assert {test.p for test in no_worse_than(two[0], two, SIZES, margin=10)} == {None}


def test_false_claims_at_the_margin_are_few():
    generator, shown, studies = np.random.default_rng(0), 0, 2000
    for _ in range(studies):
        shared = generator.standard_normal(5)  # what a seed does to all variants
        large = replicate("large", 2 + 0.1 * shared + 0.05 * generator.standard_normal(5))
        small = replicate("small", 2.1 + 0.1 * shared + 0.05 * generator.standard_normal(5))
        looks = Looks((3, 5))
        shown += no_worse_than(large, [small], SIZES, 0.1, looks=looks)[0].shown
    assert shown / studies < 0.06


def test_sizes_are_those_of_the_networks(committed_factorial):
    found = sizes(committed_factorial)
    small, large = (
        found[f"kernel_size={size},dropout=true,optimizer=adam,data_format=channels_last"]
        for size in (3, 5)
    )
    assert small.parameters == 1_199_882
    # Two convolutions and two dense layers by hand: uses of each weight.
    uses = 26 * 26 * 32 * 9 + 24 * 24 * 64 * 9 * 32 + 12 * 12 * 64 * 128 + 128 * 10
    assert small.multiply_adds == uses
    assert large.multiply_adds > small.multiply_adds
    # Filters of 5x5 leave fewer pixels to the dense layer, so neither is smaller in all.
    assert large.parameters < small.parameters
    assert not small.is_smaller_than(large)
    assert not large.is_smaller_than(small)
