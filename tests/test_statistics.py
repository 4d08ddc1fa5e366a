"""The statistics of a study: effects, pairs, equivalence, power, over images."""

import gc
import importlib.util
import json
import sys
import time
import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.weightstats import ttost_paired

from sidebyside.effects import CLASSICAL, ROBUST, effects
from sidebyside.equivalence import matched_differences, tost
from sidebyside.multiplicity import holm
from sidebyside.over_images import (
    cochran_q,
    difference_over_images,
    error_over_images,
    mcnemar_p,
)
from sidebyside.pairs import Replicate, compare_pair, compare_pairs
from sidebyside.power import pairs_needed, pooled_sd, power, seeds_needed, smallest_difference

BENCHMARK = Path(__file__).resolve().parents[1] / "benchmarks" / "coverage.py"


def _benchmark():
    # By path: a module called "coverage" may be the well-known package's.
    spec = importlib.util.spec_from_file_location("benchmark_of_coverage", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


simulation = _benchmark()
FEW_STUDIES = 150  # in the normal run; all of them with -m simulation


@pytest.fixture(scope="module", autouse=True)
def _little_garbage():
    """Spare what TensorFlow left: statsmodels collects garbage at each correction of p values."""
    gc.freeze()
    yield
    gc.unfreeze()


def _runs(levels, seeds, seed=0):
    """A full factorial study of pure noise, as a table."""
    generator = np.random.default_rng(seed)
    return pd.DataFrame(
        [
            dict(zip(levels, cell, strict=True))
            | {"seed": number, "test_error": generator.normal(2, 0.1)}
            for cell in product(*levels.values())
            for number in range(seeds)
        ]
    )


def _estimates(found):
    return [one.estimate for one in [*found.main, *found.interactions]]


# --- effects ---


def test_a_balanced_two_level_design_agrees_with_the_textbook_analysis():
    runs = _runs({"a": ["x", "y"], "b": ["x", "y"], "c": ["x", "y"]}, seeds=3)
    model = smf.ols("test_error ~ C(a, Sum) * C(b, Sum) * C(c, Sum) + C(seed)", runs).fit()
    table = anova_lm(model, typ=3)
    found = effects(runs, ["a", "b", "c"])
    assert found.covariance == ROBUST
    for one in found.main:
        name = f"C({one.factor}, Sum)"
        # Sum coding: the first level's distance from the mean, half the difference turned round.
        low, high = -2 * model.conf_int().loc[f"{name}[S.x]"][::-1]
        ss = table.loc[name, "sum_sq"]
        mean = runs.groupby(one.factor)["test_error"].mean()
        assert one.estimate.difference == pytest.approx(mean["y"] - mean["x"], abs=1e-9)
        assert (one.estimate.low, one.estimate.high) == pytest.approx((low, high), abs=1e-9)
        assert one.estimate.p == pytest.approx(model.pvalues[f"{name}[S.x]"], abs=1e-9)
        eta = ss / (ss + table.loc["Residual", "sum_sq"])
        assert one.estimate.partial_eta_squared == pytest.approx(eta, abs=1e-9)
    for one in found.interactions:
        name = ":".join(f"C({factor}, Sum)[S.x]" for factor in one.factors)
        assert one.estimate.difference == pytest.approx(4 * model.params[name], abs=1e-9)
        assert one.estimate.p == pytest.approx(model.pvalues[name], abs=1e-9)


def test_two_levels_with_few_seeds_are_the_paired_t_test():
    runs = _runs({"a": ["x", "y"]}, seeds=4)
    x, y = (runs[runs["a"] == level]["test_error"].to_numpy() for level in "xy")
    (one,) = effects(runs, ["a"]).main
    expected = stats.ttest_rel(y, x)
    assert one.estimate.p == pytest.approx(expected.pvalue, abs=1e-9)
    assert one.estimate.low == pytest.approx(expected.confidence_interval().low, abs=1e-9)


def test_several_levels_with_unequal_noise_have_intervals_of_their_own():
    runs = _runs({"a": ["x", "y", "z"], "b": ["x", "y"]}, seeds=6)
    noisy = runs["a"] == "z"
    runs.loc[noisy, "test_error"] = 2 + 10 * (runs.loc[noisy, "test_error"] - 2)
    y, z = effects(runs, ["a", "b"]).main[:2]
    assert z.estimate.high - z.estimate.low > 3 * (y.estimate.high - y.estimate.low)


def test_robust_intervals_are_hc2_with_bell_and_mccaffreys_freedom():
    runs = _runs({"a": ["x", "y", "z"]}, seeds=6)
    model = smf.ols("test_error ~ C(a) + C(seed)", runs).fit()
    term = "C(a)[T.z]"
    column = model.model.exog_names.index(term)
    maker = np.eye(18) - model.model.exog @ model.model.pinv_wexog
    # The matrix whose trace and squared trace give Satterthwaite's freedom, run by run.
    weights = model.model.pinv_wexog[column]
    g = np.array([maker[:, i] * weights[i] / np.sqrt(maker[i, i]) for i in range(18)])
    roots = np.linalg.eigvalsh(g @ g.T)
    freedom = roots.sum() ** 2 / (roots**2).sum()
    half = stats.t.ppf(0.975, freedom) * model.get_robustcov_results("HC2").bse[column]
    found = effects(runs, ["a"])
    z = found.main[1].estimate
    assert found.covariance == ROBUST
    assert 4 < freedom < model.df_resid
    assert z.low == pytest.approx(model.params[term] - half, abs=1e-9)
    assert z.high == pytest.approx(model.params[term] + half, abs=1e-9)


def test_too_few_runs_for_a_variance_of_each_variant_share_one():
    assert effects(_runs({"a": list("vwxyz")}, seeds=2), ["a"]).covariance == CLASSICAL
    assert effects(_runs({"a": list("vwxyz")}, seeds=6), ["a"]).covariance == ROBUST


def test_holm_steps_down():
    assert holm([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.06, 0.06])
    assert holm([None]) == [None]


def test_holm_is_within_each_family():
    runs = _runs({"a": ["x", "y", "z"], "b": ["x", "y"], "c": ["x", "y"]}, seeds=3)
    found = effects(runs, ["a", "b", "c"])
    for family in (found.main, found.interactions):
        p_values = [one.estimate.p for one in family]
        assert [one.estimate.p_holm for one in family] == holm(p_values)
        assert min(one.estimate.p_holm for one in family) == min(1, min(p_values) * len(p_values))


def test_levels_of_any_plain_kind_and_names_of_any_kind():
    levels = {"model.kernel size": [3, 5], "drop-out": [None, 0.25], "1": [True, False]}
    runs = _runs(levels, seeds=2).astype(dict.fromkeys(levels, object))
    found = effects(runs, list(levels))
    assert [(one.factor, one.reference, one.level) for one in found.main] == [
        ("model.kernel size", 3, 5),
        ("drop-out", None, 0.25),
        ("1", True, False),
    ]
    assert all(estimate.p is not None for estimate in _estimates(found))
    assert json.loads(json.dumps(found.as_json(), allow_nan=False)) == found.as_json()


def test_a_factor_with_one_level_takes_no_part():
    runs = _runs({"a": ["x", "y"], "b": ["x"]}, seeds=3)
    found = effects(runs, ["a", "b"])
    assert [one.factor for one in found.main] == ["a"]
    assert found.interactions == []
    assert effects(runs, ["b"]).main == []


def test_one_seed_leaves_the_interactions_of_three_as_noise():
    found = effects(_runs({"a": "xy", "b": "xy", "c": "xy"}, seeds=1), ["a", "b", "c"])
    assert all(estimate.p is not None for estimate in _estimates(found))
    assert found.mixed_model_gap is None


def test_one_seed_of_two_factors_leaves_no_noise_to_judge_by():
    found = effects(_runs({"a": "xy", "b": "xy"}, seeds=1), ["a", "b"])
    assert found.covariance is None
    for estimate in _estimates(found):
        assert estimate.difference is not None
        assert (estimate.low, estimate.high, estimate.p, estimate.p_holm) == (None,) * 4


def test_runs_without_noise_are_exact():
    runs = _runs({"a": "xy", "b": "xy"}, seeds=3)
    runs["test_error"] = np.where(runs["a"] == "x", 2.1, 1.7)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        a, b = (one.estimate for one in effects(runs, ["a", "b"]).main)
    assert (a.low, a.high, a.p) == (a.difference, a.difference, 0)
    assert a.difference == pytest.approx(-0.4)
    assert b.p == 1
    assert b.partial_eta_squared is None


def test_missing_runs_do_not_shift_an_effect():
    runs = _runs({"a": "xyz", "b": "xy"}, seeds=4)
    runs["test_error"] = runs["a"].map({"x": 1, "y": 2, "z": 4}) + 5.0 * (runs["b"] == "y")
    found = effects(runs.drop(index=[0, 1, 9, 23]), ["a", "b"])
    assert [one.estimate.difference for one in found.main] == pytest.approx([1, 3, 5])


def test_a_missing_variant_hides_the_interaction_only():
    runs = _runs({"a": "xyz", "b": "xy"}, seeds=4)
    found = effects(runs[(runs["a"] != "z") | (runs["b"] != "y")], ["a", "b"])
    assert all(one.estimate.p is not None for one in found.main)
    assert {one.estimate.difference for one in found.interactions} == {None}


def test_factors_that_always_change_together_cannot_be_told_apart():
    runs = _runs({"a": "xy", "c": "xy"}, seeds=4).assign(b=lambda table: table["a"])
    by_factor = {one.factor: one.estimate for one in effects(runs, ["a", "b", "c"]).main}
    assert by_factor["a"].difference is by_factor["b"].difference is None
    assert by_factor["c"].p is not None


def test_the_mixed_model_agrees_and_keeps_quiet(capfd):
    _, runs = simulation.simulated_runs(np.random.default_rng(1), (2, 2, 2), 5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert effects(runs, ["a", "b", "c"]).mixed_model_gap == pytest.approx(0, abs=1e-6)
        assert effects(runs, ["a", "b", "c"], check=False).mixed_model_gap is None
        gap = effects(runs.drop(index=[3, 17, 30]), ["a", "b", "c"]).mixed_model_gap
    assert 1e-6 < gap < 0.1
    assert capfd.readouterr() == ("", "")


# --- over images ---


def _wrong(shape, chance, seed):
    return np.random.default_rng(seed).random(shape) < chance


def test_one_run_has_wilsons_interval():
    wrong = np.arange(200)[None] < 30
    found = error_over_images(wrong)
    expected = stats.binomtest(30, 200).proportion_ci(method="wilson")
    assert found["mean"] == pytest.approx(15)
    assert (found["low"], found["high"]) == pytest.approx((100 * expected.low, 100 * expected.high))


def test_faultless_runs_are_not_certainly_faultless():
    found = error_over_images(np.zeros((3, 200), bool))
    assert (found["mean"], found["low"]) == pytest.approx((0, 0))
    assert 1 < found["high"] < 3


def test_the_bootstrap_is_that_of_images():
    wrong = _wrong((3, 1_500), 0.1, 0)
    expected = stats.bootstrap(
        (wrong.mean(axis=0),), np.mean, method="percentile", rng=np.random.default_rng(5)
    ).confidence_interval
    found = error_over_images(wrong)
    assert found["low"] == pytest.approx(100 * expected.low, abs=0.05)
    assert found["high"] == pytest.approx(100 * expected.high, abs=0.05)


@pytest.mark.parametrize("runs", [(1, 1), (3, 3), (2, 3)])
def test_sign_flips_are_scipys_permutation_test(runs):
    a, b = _wrong((runs[0], 12), 0.6, 1), _wrong((runs[1], 12), 0.3, 2)
    expected = stats.permutation_test(
        (a.mean(axis=0), b.mean(axis=0)),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    found = difference_over_images(a, b)
    assert found["mean"] == pytest.approx(100 * expected.statistic)
    assert found["p"] == pytest.approx(expected.pvalue, abs=1e-9)


def test_over_images_is_the_same_each_time_and_quick():
    a, b = _wrong((3, 10_000), 0.02, 3), _wrong((3, 10_000), 0.02, 4)
    start = time.perf_counter()
    found = [error_over_images(a), difference_over_images(a, b)]
    assert time.perf_counter() - start < 0.6
    assert found == [error_over_images(a), difference_over_images(a, b)]


def test_equal_predictions_have_no_difference_over_images():
    wrong = _wrong((3, 500), 0.1, 0)
    assert difference_over_images(wrong, wrong) == {"mean": 0, "low": 0, "high": 0, "p": 1}


def test_mcnemar_is_exact_when_few_are_disputed():
    a, b = np.zeros(1_000, bool), np.zeros(1_000, bool)
    assert mcnemar_p(a, b) == 1
    a[:9], b[9:11] = True, True
    assert mcnemar_p(a, b) == pytest.approx(stats.binomtest(2, 11).pvalue, abs=1e-9)
    a[:40] = True
    a[9:11] = False
    corrected = (abs(38 - 2) - 1) ** 2 / 40
    assert mcnemar_p(a, b) == pytest.approx(stats.chi2.sf(corrected, 1), abs=1e-9)


def test_cochrans_q_of_two_runs_is_mcnemar_without_correction():
    a, b = _wrong(500, 0.2, 0), _wrong(500, 0.1, 1)
    only_a, only_b = (a & ~b).sum(), (b & ~a).sum()
    found = cochran_q([a, b])
    assert found["q"] == pytest.approx((only_a - only_b) ** 2 / (only_a + only_b))
    assert found["df"] == 1
    assert found["p"] == pytest.approx(stats.chi2.sf(found["q"], 1))
    assert cochran_q([a, a, a]) is None


# --- equivalence ---


def test_tost_is_that_of_statsmodels():
    a, b = np.random.default_rng(0).normal(2, 0.1, (2, 6))
    found = tost(list(a - b), 0.3)
    assert found.p == pytest.approx(ttost_paired(a, b, -0.3, 0.3)[0], abs=1e-9)
    half = stats.t.ppf(0.95, 5) * (a - b).std(ddof=1) / np.sqrt(6)
    assert found.low == pytest.approx((a - b).mean() - half, abs=1e-9)
    assert found.equivalent == (max(-found.low, found.high) < 0.3)
    assert found.as_json()["equivalent"] == found.equivalent


def test_tost_without_variance_or_without_pairs():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tost([0.0, 0.0, 0.0], 0.1).p == 0
        assert tost([1.23 - 1.11, 2.23 - 2.11], 0.2).equivalent
        assert tost([0.3, 0.3], 0.2).p == 1
    assert (tost([0.0], 0.1).p, tost([0.0], 0.1).equivalent) == (None, False)
    assert tost([], 0.1).difference is None
    with pytest.raises(ValueError, match="above 0"):
        tost([0.0, 0.1], 0)


def test_differences_are_of_runs_equal_in_all_else():
    runs = pd.DataFrame(
        [
            {"a": a, "b": b, "seed": seed, "test_error": 10.0 * (a is None) + 3 * seed + b}
            for a, b, seed in product([None, 0.5, 0.7], [1, 2], [0, 1])
        ]
    ).drop(index=0)
    assert matched_differences(runs, "a", (0.5, None)) == [10.0] * 3
    assert matched_differences(runs, "a", (0.5, 0.7)) == [0.0] * 4
    assert matched_differences(runs, "b", (1, 2)) == [1.0] * 5
    with pytest.raises(ValueError, match="name all factors"):
        matched_differences(runs.drop(columns="b"), "a", (0.5, 0.7))


# --- power ---


def test_power_of_a_study():
    errors = [[1.0, 1.2, 1.4], [2.0, 2.1]]
    sd = pooled_sd(errors)
    assert sd == pytest.approx(np.sqrt((2 * 0.04 + 0.005) / 3))
    found = power(errors).as_json()
    assert found["sd"] == sd
    assert found["n"] == 2
    assert found["smallest_difference"] == smallest_difference(sd, 2)
    assert found["seeds_for"] == {"0.1": seeds_needed(sd, 0.1), "0.05": seeds_needed(sd, 0.05)}
    assert power([[1.0], [2.0]]).as_json() == {
        "sd": None,
        "n": 1,
        "smallest_difference": None,
        "seeds_for": {"0.1": None, "0.05": None},
    }


def test_needed_seeds_and_smallest_difference_belong_together():
    for n in (2, 3, 5, 40):
        smallest = smallest_difference(0.1, n)
        assert seeds_needed(0.1, smallest * 1.001) == n
        assert seeds_needed(0.1, smallest * 0.999) == n + 1
        # The noncentral t distribution, by hand.
        shift = smallest / 0.1 * np.sqrt(n / 2)
        critical = stats.t.ppf(0.975, 2 * n - 2)
        found = stats.nct.sf(critical, 2 * n - 2, shift) + stats.nct.cdf(
            -critical, 2 * n - 2, shift
        )
        assert found == pytest.approx(0.8, abs=1e-6)


def test_extremes_of_power():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert seeds_needed(0.1, 100) == 2
        assert pairs_needed(0.1, 100) == 3
        assert seeds_needed(0.1, 0) is None
        assert seeds_needed(0, 0.1) == 2
        assert seeds_needed(1, 0.1) > 1_500
        assert seeds_needed(1, 0.001) is None
        assert smallest_difference(0, 3) == 0


# --- pairs ---


def _replicate(name, errors, seeds=None, images=50):
    seeds = list(range(len(errors))) if seeds is None else seeds
    return Replicate(name, seeds, errors, _wrong((len(errors), images), 0.2, len(name)))


A = [1.00, 1.10, 0.90, 1.05, 0.95]
B = [1.20, 1.32, 1.13, 1.27, 1.14]


def test_a_better_variant_by_the_paired_t_test():
    pair = compare_pair(_replicate("A", A), _replicate("B", B), 0.1)
    expected = stats.ttest_rel(A, B)
    assert pair.p == pytest.approx(expected.pvalue, abs=1e-9)
    assert pair.difference["low"] == pytest.approx(expected.confidence_interval().low, abs=1e-9)
    assert (pair.verdict, pair.superiority, pair.n) == ("better", 1, 5)
    assert pair.statement == "A is better than B by 0.21 points [0.19, 0.23] (n=5 seeds)"
    back = compare_pair(_replicate("B", B), _replicate("A", A), 0.1)
    assert (back.verdict, back.superiority) == ("worse", 0)
    assert back.statement == "B is worse than A by 0.21 points [0.19, 0.23] (n=5 seeds)"


def test_only_common_seeds_are_paired():
    a = _replicate("A", A, seeds=[3, 5, 7, 9, 11])
    b = _replicate("B", [2.0, 1.32, 1.20], seeds=[4, 5, 3])
    pair = compare_pair(a, b, 0.1)
    assert pair.differences == pytest.approx([1.00 - 1.20, 1.10 - 1.32])
    over = difference_over_images(a.wrong[[0, 1]], b.wrong[[2, 1]])
    assert pair.over_images == over
    nothing = compare_pair(a, _replicate("B", [2.0], seeds=[0]), 0.1)
    assert (nothing.n, nothing.over_images, nothing.verdict) == (0, None, "can't tell")
    json.dumps(nothing.as_json(), allow_nan=False)


def test_two_seeds_never_tell():
    pair = compare_pair(_replicate("A", [1.0, 1.0]), _replicate("B", [9.0, 9.0]), 0.1)
    assert (pair.p, pair.p_holm, pair.verdict, pair.more_seeds) == (None, None, "can't tell", 1)
    same = compare_pair(_replicate("A", [1.0, 1.0]), _replicate("B", [1.0, 1.0]), 0.1)
    assert (same.verdict, same.more_seeds) == ("can't tell", None)
    assert same.statement == "Can't tell A from B with 2 seeds"


def test_more_seeds_are_those_of_80_percent_power():
    pair = compare_pair(_replicate("A", [1.0, 1.1]), _replicate("B", [1.1, 1.35]), 0.1)
    needed = pairs_needed(float(np.std([0.1, 0.25], ddof=1)), 0.175)
    assert pair.more_seeds == needed - 2
    assert pair.statement == (
        f"Can't tell A from B with 2 seeds; about {needed - 2} more would at the difference seen"
    )
    far = compare_pair(_replicate("A", [1.0, 2.0, 3.0]), _replicate("B", [2.0, 1.001, 3.0]), 0.1)
    assert (far.verdict, far.more_seeds) == ("can't tell", None)


def test_one_seed_has_no_interval_over_seeds():
    a, b = _replicate("A", [1.0]), _replicate("BB", [1.2])
    pair = compare_pair(a, b, 0.1)
    assert pair.difference == {"mean": pytest.approx(-0.2), "low": None, "high": None}
    assert pair.mcnemar_p == mcnemar_p(a.wrong[0], b.wrong[0])
    assert pair.statement == "Can't tell A from BB with 1 seed"


def test_equal_within_the_margin():
    b = [value + shift for value, shift in zip(A, [0.01, -0.01, 0.02, -0.02, 0.0], strict=True)]
    pair = compare_pair(_replicate("A", A), _replicate("B", b), 0.1)
    assert (pair.verdict, pair.more_seeds) == ("equivalent", None)
    assert pair.statement == "A and B are equivalent within 0.1 points"
    assert compare_pair(_replicate("A", A), _replicate("B", A), 0.1).verdict == "equivalent"


def test_verdicts_are_corrected_over_the_list():
    noise = 0.1 * np.array([1, -1, 0.5, -0.5, 0.8, -0.8])  # of a difference
    shifts = {"B": 0.1, "C": 0.1, "D": 0.1, "E": 1.0}
    replicates = [_replicate("A", [2.0] * 6)]
    replicates += [_replicate(name, list(2 + shift + noise)) for name, shift in shifts.items()]
    names = [("A", name) for name in "BCDE"]
    found = compare_pairs(replicates, names, 0.01)
    alone = [compare_pair(replicates[0], b, 0.01) for b in replicates[1:]]
    assert [pair.p_holm for pair in found] == holm([pair.p for pair in alone])
    assert all(one.p_holm == one.p for one in alone)
    assert all(pair.p_holm >= pair.p for pair in found)
    assert all(one.verdict == "better" for one in alone)
    assert [pair.verdict for pair in found] == ["can't tell"] * 3 + ["better"]
    assert all(pair.more_seeds > 0 for pair in found[:3])
    json.dumps([pair.as_json() for pair in found], allow_nan=False)


def test_ties_count_half():
    pair = compare_pair(_replicate("A", [1.0, 2.0]), _replicate("B", [1.0, 3.0]), 0.1)
    assert pair.superiority == (0.5 + 1 + 0 + 1) / 4


# --- do they keep their word? ---


@pytest.mark.parametrize("design", simulation.DESIGNS)
def test_coverage_and_false_positives_of_few_simulated_studies(design):
    rates = list(simulation.simulate(FEW_STUDIES, [design]))
    assert rates
    assert [rate for rate in rates if not rate.inside(errors=3)] == []


@pytest.mark.simulation
@pytest.mark.parametrize("design", simulation.DESIGNS)
def test_coverage_and_false_positives_of_simulated_studies(design):
    rates = list(simulation.simulate(simulation.all_studies(design), [design]))
    assert [rate for rate in rates if not rate.inside()] == []
