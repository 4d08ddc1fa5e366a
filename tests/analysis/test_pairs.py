"""Two variants held against each other."""

import json

import numpy as np
import pytest
from scipy import stats

from sidebyside.analysis.images import difference_over_images, mcnemar_p
from sidebyside.analysis.intervals import new_seeds_and_images
from sidebyside.analysis.metrics.replicate import Replicate
from sidebyside.analysis.multiplicity import holm
from sidebyside.analysis.pairs import compare_pair, compare_pairs
from sidebyside.analysis.power import pairs_needed
from sidebyside.report.text.findings import of_pair


def _replicate(name, errors, seeds=None, images=10_000):
    seeds = list(range(len(errors))) if seeds is None else seeds
    wrong = np.random.default_rng(len(name)).random((len(errors), images)) < 0.2
    return Replicate(name, seeds, errors, wrong, [f"{name} {seed}" for seed in seeds])


A = [1.00, 1.10, 0.90, 1.05, 0.95]
B = [1.20, 1.32, 1.13, 1.27, 1.14]


def test_a_better_variant_by_the_paired_t_test():
    pair = compare_pair(_replicate("A", A), _replicate("B", B), 0.1)
    expected = stats.ttest_rel(A, B)
    assert pair.p == pytest.approx(expected.pvalue, abs=1e-9)
    assert pair.difference["low"] == pytest.approx(expected.confidence_interval().low, abs=1e-9)
    assert (pair.verdict, pair.superiority, pair.n) == ("better", 1, 5)
    assert of_pair(pair.as_json() | {"seeds_and_images": None}) == (
        "A is better than B by 0.21 points [0.19, 0.23] (95 %, over seeds, n=5 seeds)"
    )
    back = compare_pair(_replicate("B", B), _replicate("A", A), 0.1)
    assert (back.verdict, back.superiority) == ("worse", 0)
    assert of_pair(back.as_json() | {"seeds_and_images": {"low": -0.05, "high": 0.47}}) == (
        "B is worse than A by 0.21 points [-0.05, 0.47], perhaps none on new images (95 %, new "
        "seeds and new images, n=5 seeds)"
    )


def test_only_common_seeds_are_paired():
    a = _replicate("A", A, seeds=[3, 5, 7, 9, 11])
    b = _replicate("B", [2.0, 1.32, 1.20], seeds=[4, 5, 3])
    pair = compare_pair(a, b, 0.1)
    assert pair.differences == pytest.approx([1.00 - 1.20, 1.10 - 1.32])
    over = difference_over_images(a.scores[[0, 1]], b.scores[[2, 1]])
    assert pair.over_images == over
    apart = 100.0 * (a.scores[[0, 1]].astype(int) - b.scores[[2, 1]])
    assert pair.seeds_and_images == pytest.approx(new_seeds_and_images(apart).named_ends())
    nothing = compare_pair(a, _replicate("B", [2.0], seeds=[0]), 0.1)
    assert (nothing.n, nothing.over_images, nothing.verdict) == (0, None, "can't tell")
    json.dumps(nothing.as_json(), allow_nan=False)


def test_two_seeds_never_tell():
    pair = compare_pair(_replicate("A", [1.0, 1.0]), _replicate("B", [9.0, 9.0]), 0.1)
    assert (pair.p, pair.p_holm, pair.verdict, pair.more_seeds) == (None, None, "can't tell", 1)
    same = compare_pair(_replicate("A", [1.0, 1.0]), _replicate("B", [1.0, 1.0]), 0.1)
    assert (same.verdict, same.more_seeds) == ("can't tell", None)
    assert of_pair(same.as_json()) == "Can't tell A from B with 2 seeds"


def test_more_seeds_are_those_of_80_percent_power():
    pair = compare_pair(_replicate("A", [1.0, 1.1]), _replicate("B", [1.1, 1.35]), 0.1)
    needed = pairs_needed(float(np.std([0.1, 0.25], ddof=1)), 0.175)
    assert pair.more_seeds == needed - 2
    assert of_pair(pair.as_json()) == (
        f"Can't tell A from B with 2 seeds; about {needed - 2} more seeds would at "
        "the difference seen"
    )
    far = compare_pair(_replicate("A", [1.0, 2.0, 3.0]), _replicate("B", [2.0, 1.001, 3.0]), 0.1)
    assert (far.verdict, far.more_seeds) == ("can't tell", None)


def test_one_seed_has_no_interval_over_seeds():
    a, b = _replicate("A", [1.0]), _replicate("BB", [1.2])
    pair = compare_pair(a, b, 0.1)
    assert pair.difference == {"mean": pytest.approx(-0.2), "low": None, "high": None}
    assert pair.mcnemar_p == mcnemar_p(a.scores[0], b.scores[0])
    assert of_pair(pair.as_json()) == "Can't tell A from BB with 1 seed"


def test_equal_within_the_margin():
    b = [value + shift for value, shift in zip(A, [0.01, -0.01, 0.02, -0.02, 0.0], strict=True)]
    pair = compare_pair(_replicate("A", A), _replicate("B", b), 0.1)
    assert (pair.verdict, pair.more_seeds) == ("equivalent", None)
    assert of_pair(pair.as_json()) == "A and B are equivalent within 0.1 points"
    assert compare_pair(_replicate("A", A), _replicate("B", A), 0.1).verdict == "equivalent"


def test_verdicts_are_corrected_over_the_list():
    noise = 0.1 * np.array([1, -1, 0.5, -0.5, 0.8, -0.8])  # of a difference
    shifts = {"B": 0.1, "C": 0.1, "D": 0.1, "E": 1.0}
    replicates = [_replicate("A", [2.0] * 6)]
    replicates += [_replicate(name, list(2 + shift + noise)) for name, shift in shifts.items()]
    names = [("A", name) for name in "BCDE"]
    together = compare_pairs(replicates, names, 0.01)
    alone = [compare_pair(replicates[0], b, 0.01) for b in replicates[1:]]
    assert [pair.p_holm for pair in together] == holm([pair.p for pair in alone])
    assert all(pair.p_holm == pair.p for pair in alone)
    assert all(pair.p_holm >= pair.p for pair in together)
    assert all(pair.verdict == "better" for pair in alone)
    assert [pair.verdict for pair in together] == ["can't tell"] * 3 + ["better"]
    assert all(pair.more_seeds > 0 for pair in together[:3])
    json.dumps([pair.as_json() for pair in together], allow_nan=False)


def test_ties_count_half():
    pair = compare_pair(_replicate("A", [1.0, 2.0]), _replicate("B", [1.0, 3.0]), 0.1)
    assert pair.superiority == (0.5 + 1 + 0 + 1) / 4


def test_equal_differences_are_no_surer_than_whole_images_allow():
    b = [value + 0.10 for value in A[:3]]
    pair = compare_pair(_replicate("A", A[:3]), _replicate("B", b), 0.01)
    half = stats.t.ppf(0.975, 2) * np.sqrt((100 / 10_000) ** 2 / 6 / 3)
    assert pair.difference["low"] == pytest.approx(-0.10 - half)
    assert 0 < pair.p < 0.01
    (of_many,) = compare_pairs(
        [_replicate("A", A[:3]), _replicate("B", b)], [("A", "B")], 0.01, chosen_from=120
    )
    assert of_many.verdict == "can't tell"


def test_identical_variants_need_no_test():
    a, b = _replicate("A", A), _replicate("B", A)
    b = Replicate("B", b.seeds, b.values, a.scores, a.weights)
    pair = compare_pair(a, b, 0.1)
    assert (pair.verdict, pair.p, pair.p_equivalent, pair.more_seeds) == (
        "identical",
        None,
        None,
        None,
    )
    assert of_pair(pair.as_json()) == "A and B gave bit-identical networks (5 seeds)"


def test_equivalence_is_corrected_over_the_list():
    near = [value + shift for value, shift in zip(A, [0.08, -0.03, 0.1, 0.02, 0.04], strict=True)]
    replicates = [_replicate("A", A), _replicate("B", near)]
    alone = compare_pair(*replicates, 0.1)
    assert (alone.verdict, alone.p_equivalent < 0.05) == ("equivalent", True)
    far = [_replicate(name, [1 + value for value in A]) for name in ("C", "D", "E", "F")]
    names = [("A", replicate.name) for replicate in [replicates[1], *far]]
    together = compare_pairs([*replicates, *far], names, 0.1)
    assert together[0].p_equivalent_holm == pytest.approx(5 * alone.p_equivalent)
    assert together[0].verdict == "can't tell"


def test_a_baseline_that_was_chosen_costs_as_much_as_all_that_might_have_been():
    replicates = [_replicate("A", A), _replicate("B", B)]
    free = compare_pairs(replicates, [("A", "B")], 0.1)[0]
    chosen = compare_pairs(replicates, [("A", "B")], 0.1, chosen_from=210)[0]
    assert chosen.p_holm == pytest.approx(210 * free.p)
    assert chosen.pairs == 210


def test_new_seeds_and_images_are_those_of_the_differences():
    a, b = _replicate("A", A), _replicate("BB", B)
    pair = compare_pair(a, b, 0.1)
    expected = new_seeds_and_images(100.0 * (a.scores.astype(int) - b.scores)).named_ends()
    assert pair.seeds_and_images == pytest.approx(expected)
    assert compare_pair(_replicate("A", A[:1]), b, 0.1).seeds_and_images is None
