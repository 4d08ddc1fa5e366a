"""A study that is looked at while it grows: what intervals and tests take account of."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sidebyside.analysis.analyse import analyse
from sidebyside.analysis.cost.no_worse import no_worse_than
from sidebyside.analysis.cost.sizes import Size
from sidebyside.analysis.effects.effects import effects
from sidebyside.analysis.equivalence import compare_levels, corrected, tost
from sidebyside.analysis.looks import CALIBRATED, COUNTS, Looks, looks_of, looks_up_to
from sidebyside.analysis.metrics.replicate import Replicate
from sidebyside.analysis.pairs import compare_pair, compare_pairs
from sidebyside.config.schema import Study

LOOKS = looks_up_to(20)


def replicate(name, errors, seeds=None):
    seeds = list(range(len(errors))) if seeds is None else seeds
    nothing = np.zeros((len(errors), 0), bool)
    return Replicate(name, seeds, list(errors), nothing, [f"{name} {seed}" for seed in seeds])


def test_a_look_is_the_last_one_with_so_many_seeds():
    assert LOOKS.counts == COUNTS == (3, 5, 8, 13, 20)
    assert [LOOKS.reached(seeds) for seeds in (2, 3, 4, 20, 30)] == [3, 3, 3, 20, 20]
    assert [LOOKS.after(seeds) for seeds in (0, 3, 13, 20)] == [3, 5, 20, None]
    assert [LOOKS.number(seeds) for seeds in (3, 7, 8)] == [1, 2, 3]
    assert looks_up_to(8) == Looks((3, 5, 8))
    assert looks_of({"until": "narrow", "max_seeds": 8}) is None


def test_an_equivalence_has_the_interval_of_its_look():
    assert sum(1 - LOOKS.confidence_of_equivalence(c) for c in COUNTS) == pytest.approx(0.1341)
    differences = [0.01, -0.02, 0.03, 0.0, 0.02]
    ends = stats.ttest_1samp(differences, 0).confidence_interval(1 - 0.1341 * 5 / 49)
    found = tost(differences, 0.1, looks=LOOKS)
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high))


@pytest.mark.slow
def test_factors_are_judged_at_a_look(committed_factorial):
    study = Study(name="factorial", until="decided", max_seeds=20)

    def main_effects(count):
        runs = [run for run in committed_factorial.runs if run.seed < count]
        known = replace(committed_factorial, runs=runs, stopping=study.stopping())
        return analyse(known, study, []).content["effects"]["main"]

    assert main_effects(4) == main_effects(3) != main_effects(5)


def test_levels_are_shares_of_what_simulation_allows():
    assert 1 - LOOKS.confidence(3) == pytest.approx(0.0636 * 3 / 49)
    assert sum(1 - LOOKS.confidence(count) for count in COUNTS) == pytest.approx(0.0636)
    assert looks_up_to(3).confidence(3) == pytest.approx(0.95)
    assert all(c >= 0.05 and of_two >= 0.1 for c, of_two in CALIBRATED.values())


def test_the_p_value_of_all_looks_is_the_least_over_its_share():
    at = {3: 0.01, 5: 0.3, 8: 0.02}.get
    assert LOOKS.p(at, 8) == pytest.approx(0.02 * 49 / 8)
    early = {3: 0.001, 5: 0.004}.get
    assert LOOKS.p(early, 5) == pytest.approx(0.001 * 49 / 3)
    assert LOOKS.p(at, 7) == 1  # as the second look doesn't bear out the first
    assert LOOKS.p(at, 2) is None
    assert LOOKS.p_alone(0.0636) == pytest.approx(0.05)
    assert LOOKS.p_alone_of_equivalence(0.1341) == pytest.approx(0.1)


def test_a_pair_is_judged_by_its_looks_alone():
    generator = np.random.default_rng(3)
    a, b = generator.normal(1, 0.1, 6), generator.normal(1.3, 0.1, 6)
    pair = compare_pair(replicate("a", a), replicate("b", b), 0.1, LOOKS)
    assert pair.n == 5  # the sixth seed was between two looks
    p_values = [stats.ttest_rel(a[:count], b[:count]).pvalue * 49 / count for count in (3, 5)]
    assert pair.p == pytest.approx(min(p_values))
    found = stats.ttest_rel(a[:5], b[:5]).confidence_interval(1 - 0.0636 * 5 / 49)
    assert (pair.difference["low"], pair.difference["high"]) == pytest.approx(
        (found.low, found.high)
    )


@pytest.mark.parametrize("later", [(0.1, -0.2, 0.0, -0.1, 0.3), (-0.5, -0.6, 0.1, -0.7, -0.4)])
def test_what_the_last_look_does_not_bear_out_is_not_told(later):
    differences = np.array([0.3, 0.301, 0.299, *later])
    pair = compare_pair(
        replicate("a", 1 + differences), replicate("b", [1.0] * 8), 0.1, looks_up_to(13)
    )
    (first, *_, last) = pair.by_look
    assert first["low"] > 0 > last["low"]
    assert last["high"] > 0
    assert pair.verdict == "can't tell"


def test_a_look_that_shows_the_opposite_does_not_speak_for_the_last():
    generator = np.random.default_rng(0)
    differences = np.array([0.3, 0.301, 0.299, *generator.normal(-0.6, 0.2, 10)])
    pair = compare_pair(
        replicate("a", 1 + differences), replicate("b", [1.0] * 13), 0.1, looks_up_to(13)
    )
    assert pair.by_look[0]["low"] > 0 > pair.by_look[-1]["high"]
    shares = [
        stats.ttest_1samp(differences[:count], 0).pvalue * 29 / count
        for count in (3, 5, 8, 13)
        if differences[:count].mean() < 0
    ]
    assert pair.p == pytest.approx(min(shares))


def test_an_equivalence_that_the_last_look_does_not_bear_out_is_not_told():
    near = [0.001, -0.001, 0.0, 0.001, -0.001, 0.0, 0.001, -0.001]
    assert tost(near, 0.1, looks=LOOKS).equivalent
    found = tost([*near, *[0.35, 0.36, 0.34, 0.35, 0.35]], 0.1, looks=LOOKS)
    assert found.high > 0.1
    assert not found.equivalent


def test_a_pair_that_is_the_only_one_takes_what_simulation_allows():
    a, b = [1.0, 1.1, 0.9, 1.05, 1.02], [1.2, 1.31, 1.12, 1.24, 1.2]
    replicates = [replicate("a", a), replicate("b", b), replicate("c", b[::-1])]
    (alone,) = compare_pairs(replicates, [("a", "b")], 0.1, looks=LOOKS)
    two = compare_pairs(replicates, [("a", "b"), ("a", "c")], 0.1, looks=LOOKS)
    assert alone.p_holm == pytest.approx(alone.p * 0.05 / 0.0636)
    assert two[0].p_holm == pytest.approx(2 * alone.p)


@pytest.mark.parametrize("t", [14, 16.5, 17.5, 19])  # with c = 0.0636 from 15.9 on, 0.05 from 18.0
def test_an_effect_that_is_the_only_one_is_shown_where_its_interval_has_no_zero(t):
    apart = t / 3**0.5 + np.array([-1, 0, 1])
    rows = [("a", seed, 1.0) for seed in range(3)]
    rows += [("b", seed, 1 + own) for seed, own in enumerate(apart)]
    runs = pd.DataFrame(rows, columns=["kernel", "seed", "test_value"])
    (effect,) = effects(runs, ["kernel"], looks=LOOKS).main
    assert effect.estimate.p == pytest.approx(stats.ttest_1samp(apart, 0).pvalue * 49 / 3)
    assert effect.estimate.shown == (effect.estimate.low > 0) == (t > 16)


@pytest.mark.parametrize("t", [10, 11.3, 12.3, 14])  # from 11.0 on, and from 12.7
def test_an_equivalence_that_is_the_only_one_is_shown_where_its_interval_is_within(t):
    margin = t / 3**0.5
    runs = pd.DataFrame({"kernel": ["a"] * 3 + ["b"] * 3, "seed": [0, 1, 2] * 2})
    runs = runs.assign(test_value=[1.0] * 3 + [0.0, 1, 2], weights=list("abcdef"))
    (entry,) = corrected([compare_levels(runs, "kernel", ("a", "b"), margin, looks=LOOKS)], LOOKS)
    assert entry.equivalent == (entry.test.high < margin) == (t > 11)
    smaller = replicate("small", [0.0, 1, 2]), replicate("large", [1.0] * 3)
    sizes = {"small": Size(1, None), "large": Size(2, None)}
    (test,) = no_worse_than(smaller[1], smaller, sizes, margin, looks=LOOKS)
    assert test.shown == (test.worst < margin) == (t > 11)


def test_no_seed_counts_by_its_place_in_the_list():
    a, b = [1.0, 1.1, 0.9, 1.05, 1.02], [1.2, 1.35, 1.12, 1.2, 1.2]
    order = [4, 2, 0, 3, 1]
    shuffled = [
        replicate(name, [errors[seed] for seed in order], order)
        for name, errors in (("a", a), ("b", b))
    ]
    in_order = compare_pair(replicate("a", a), replicate("b", b), 0.1, LOOKS)
    assert compare_pair(*shuffled, 0.1, LOOKS).p == pytest.approx(in_order.p)
