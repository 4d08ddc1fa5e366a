"""What factors do, by a model whose unit of replication is the seed."""

import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

from sidebyside.analysis.effects.effects import effects
from sidebyside.analysis.multiplicity import holm

RUNS = Path(__file__).resolve().parents[2] / "reports" / "mnist" / "factorial" / "runs.csv"
GIVEN_TO_R = Path(__file__).with_name("clubsandwich.csv")

# Of R's clubSandwich 0.5.8, on these 80 runs of an earlier engine, levels in the order of the file,
# contr.sum:
# m <- lm(test_error ~ kernel_size * dropout * optimizer * data_format + seed)
# coef_test(m, vcovCR(m, cluster = seed, type = "CR2"), test = "Satterthwaite")
# Coefficient, SE and df of the first level.
ALL = """
kernel_size 0.096875000000 0.007299400660 4.000000000000
dropout -0.052625000000 0.015692852672 4.000000000000
optimizer 0.014375000000 0.011176845485 4.000000000000
data_format -0.001375000000 0.003493297153 4.000000000000
kernel_size:dropout 0.000875000000 0.007586995453 4.000000000000
kernel_size:optimizer 0.009375000000 0.005199158586 4.000000000000
dropout:optimizer -0.037625000000 0.006870453042 4.000000000000
kernel_size:data_format 0.007625000000 0.004834769901 4.000000000000
dropout:data_format -0.001375000000 0.003493297153 4.000000000000
optimizer:data_format -0.010375000000 0.002875000000 4.000000000000
"""
# The same without rows 1, 8, 30, 31, 57 and 76, counted from 1.
SOME_MISSING = """
kernel_size 0.096765179442 0.008542268587 3.959269378279
dropout -0.051495500764 0.017508705718 3.957384639685
optimizer 0.014080770422 0.012397031820 3.957384639685
data_format -0.003363160964 0.003317754720 3.954201863261
kernel_size:dropout -0.000030982286 0.007611798487 3.957384639685
kernel_size:optimizer 0.011110069984 0.005844521560 3.960176352544
dropout:optimizer -0.038346573266 0.007896801438 3.934069018768
kernel_size:data_format 0.007666138598 0.003646938284 3.934069018768
dropout:data_format -0.002941999236 0.004111076019 3.957384639685
optimizer:data_format -0.010518270422 0.003671867338 3.957384639685
"""
FACTORS = ["kernel_size", "dropout", "optimizer", "data_format"]


def made(levels, seeds, sd=0.1, of_seed=0.0, seed=0):
    """Return a full factorial study without effects, as a table."""
    generator = np.random.default_rng(seed)
    shared = generator.normal(0, of_seed, seeds)
    return pd.DataFrame(
        [
            dict(zip(levels, cell, strict=True))
            | {"seed": number, "test_value": generator.normal(2 + shared[number], sd)}
            for cell in product(*levels.values())
            for number in range(seeds)
        ]
    )


def read(path):
    return (
        pd.read_csv(path, dtype=str)
        .rename(columns={"test_error": "test_value"})
        .astype({"test_value": float})
    )


def committed():
    runs = read(RUNS)
    return runs[runs["seed"].isin(list("01234"))].reset_index(drop=True)


def estimates(of_factors):
    return [effect.estimate for effect in [*of_factors.main, *of_factors.interactions]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("missing", "expected"), [([], ALL), ([0, 7, 29, 30, 56, 75], SOME_MISSING)]
)
def test_standard_errors_and_freedom_are_those_of_clubsandwich(missing, expected):
    of_factors = effects(read(GIVEN_TO_R).drop(index=missing), FACTORS)
    of_effect = {effect.factor: (-2, effect.estimate) for effect in of_factors.main}
    of_effect |= {
        ":".join(effect.factors): (4, effect.estimate) for effect in of_factors.interactions
    }
    for line in expected.split("\n")[1:-1]:
        name, coefficient, error, freedom = line.split()
        factor, estimate = of_effect[name]
        assert estimate.difference == pytest.approx(factor * float(coefficient), abs=1e-8)
        assert estimate.standard_error == pytest.approx(abs(factor) * float(error), abs=1e-8)
        assert estimate.degrees_of_freedom == pytest.approx(float(freedom), abs=1e-8)


def test_a_balanced_effect_is_the_t_interval_of_its_contrasts_by_seed():
    runs = committed()
    sign = np.where(runs["kernel_size"] == "5", 1, -1)
    by_seed = (runs["test_value"] * sign).groupby(runs["seed"]).sum() / 8
    expected = stats.ttest_1samp(by_seed, 0)
    (estimate,) = (
        effect.estimate for effect in effects(runs, FACTORS).main if effect.factor == "kernel_size"
    )
    ends = expected.confidence_interval()
    assert (estimate.low, estimate.high) == pytest.approx((ends.low, ends.high), abs=1e-9)
    assert estimate.p == pytest.approx(expected.pvalue, abs=1e-9)
    assert (round(estimate.difference, 2), round(estimate.low, 2), round(estimate.high, 2)) == (
        -0.18,
        -0.23,
        -0.12,
    )


def test_runs_with_seeds_of_their_own_have_hc2():
    runs = made({"a": ["x", "y", "z"]}, seeds=6).assign(seed=range(18))
    model = smf.ols("test_value ~ C(a)", runs).fit()
    column = model.model.exog_names.index("C(a)[T.z]")
    z = effects(runs, ["a"]).main[1].estimate
    assert z.standard_error == pytest.approx(model.get_robustcov_results("HC2").bse[column])
    # Bell & McCaffrey's freedom, run by run.
    maker = np.eye(18) - model.model.exog @ model.model.pinv_wexog
    weights = model.model.pinv_wexog[column]
    g = np.array([maker[:, i] * weights[i] / np.sqrt(maker[i, i]) for i in range(18)])
    roots = np.linalg.eigvalsh(g @ g.T)
    assert z.degrees_of_freedom == pytest.approx(roots.sum() ** 2 / (roots**2).sum())


def test_runs_that_are_counted_twice_change_no_interval():
    runs = made({"a": ["x", "y"]}, seeds=4, of_seed=0.2)
    twice = pd.concat([runs.assign(b=level) for level in ("u", "v")], ignore_index=True)
    once, doubled = effects(runs, ["a"]).main[0], effects(twice, ["a", "b"]).main[0]
    assert doubled.estimate.low == pytest.approx(once.estimate.low)
    assert doubled.estimate.p == pytest.approx(once.estimate.p)


def test_what_seeds_do_to_a_factor_is_noise_of_its_effect():
    runs = made({"a": ["x", "y"], "b": ["x", "y"], "c": ["x", "y"]}, seeds=5, sd=0.01)
    shifts = np.random.default_rng(1).normal(0, 0.2, 5)
    sign = runs["a"].map({"x": -1, "y": 1})
    runs["test_value"] += sign * shifts[runs["seed"]]
    by_factor = {effect.factor: effect.estimate for effect in effects(runs, ["a", "b", "c"]).main}
    assert by_factor["a"].standard_error > 10 * by_factor["b"].standard_error


def test_holm_is_within_each_family_and_without_what_is_expected_equal():
    runs = made({"a": ["x", "y", "z"], "b": ["x", "y"], "c": ["x", "y"]}, seeds=3)
    of_factors = effects(runs, ["a", "b", "c"], expected_equal=["c"])
    tested = [effect.estimate for effect in of_factors.main if effect.factor != "c"]
    assert [effect.p_holm for effect in tested] == holm([effect.p for effect in tested])
    assert of_factors.main[-1].estimate.p is not None
    assert of_factors.main[-1].estimate.p_holm is None
    family = [effect.estimate for effect in of_factors.interactions]
    assert [effect.p_holm for effect in family] == holm([effect.p for effect in family])


def test_an_interaction_comes_with_simple_effects_and_contradicts_the_average():
    runs = made({"a": ["x", "y"], "b": ["u", "v"], "c": ["s", "t"]}, seeds=5, sd=0.05)
    both = (runs["a"] == "y") & (runs["b"] == "v")
    runs["test_value"] -= 1.0 * both
    of_factors = effects(runs, ["a", "b", "c"])
    a, _, c = of_factors.main
    assert a.estimate.shown
    assert (a.contradicted_by, c.contradicted_by) == (["b"], [])
    at_u, at_v = (
        effect for effect in of_factors.simple if (effect.factor, effect.given) == ("a", "b")
    )
    assert (at_u.at, at_u.estimate.shown) == ("u", False)
    assert (at_v.at, at_v.estimate.shown) == ("v", True)
    x = runs[(runs["b"] == "v") & (runs["a"] == "x")].groupby("seed")["test_value"].mean()
    y = runs[(runs["b"] == "v") & (runs["a"] == "y")].groupby("seed")["test_value"].mean()
    expected = stats.ttest_rel(y, x)
    assert at_v.estimate.p == pytest.approx(expected.pvalue, abs=1e-9)
    assert at_v.estimate.low == pytest.approx(expected.confidence_interval().low, abs=1e-9)
    told = {
        frozenset((effect["factor"], effect["given"])) for effect in of_factors.as_json()["simple"]
    }
    assert told == {frozenset("ab")}


def test_an_interaction_of_like_signs_contradicts_nothing():
    runs = made({"a": ["x", "y"], "b": ["u", "v"]}, seeds=5, sd=0.02)
    runs["test_value"] -= (runs["a"] == "y") * (1.0 + (runs["b"] == "v"))
    of_factors = effects(runs, ["a", "b"])
    assert of_factors.interactions[0].estimate.shown
    assert of_factors.main[0].contradicted_by == []


def test_seeds_and_images_together():
    generator = np.random.default_rng(0)
    runs = made({"a": ["x", "y"]}, seeds=4)
    wrong = generator.random((8, 500)) < 0.1
    runs["test_value"] = 100 * wrong.mean(axis=1)
    (effect,) = effects(runs, ["a"], scores=wrong).main
    apart = 100.0 * (wrong[4:].astype(int) - wrong[:4])
    n, images = apart.shape
    by_seed, by_image = apart.mean(axis=1), apart.mean(axis=0)
    rest = apart - by_seed[:, None] - by_image + apart.mean()
    residual = (rest**2).sum() / ((n - 1) * (images - 1)) / (n * images)
    variance = by_seed.var(ddof=1) / n + by_image.var(ddof=1) / images - residual
    variance = max(variance, by_image.var(ddof=1) / images - residual / 2)
    low, high = effect.estimate.seeds_and_images.values()
    assert (low + high) / 2 == pytest.approx(apart.mean())
    assert high - low > 2 * 1.96 * np.sqrt(variance)


@pytest.mark.parametrize("of_y", [(0, 1, 2, 3), (3, 4, 5), (2, 3, 4)])
def test_new_images_count_whichever_runs_are_missing(of_y):
    """What a seed lacks isn't taken for what images are unlike by."""
    generator = np.random.default_rng(0)
    hard = 0.9 * (generator.random(2000) < 0.1) * generator.integers(0, 2, (2, 2000))
    seeds = {"x": (0, 1, 2), "y": of_y}
    rows = [{"a": a, "seed": seed} for a, own in seeds.items() for seed in own]
    runs = pd.DataFrame(rows)
    of_run = hard[runs["a"].map({"x": 0, "y": 1})]
    wrong = generator.random(of_run.shape) < of_run
    runs["test_value"] = 100 * wrong.mean(axis=1)
    (effect,) = effects(runs, ["a"], scores=wrong).main
    estimate = effect.estimate
    of_images = 100 * np.abs(hard[1] - hard[0]).std() / np.sqrt(2000)
    low, high = estimate.seeds_and_images.values()
    assert low <= estimate.low <= estimate.high <= high
    assert 2 * 1.96 * of_images < high - low < 3 * 2 * 1.96 * of_images


@pytest.mark.parametrize("images", [0, 1])
def test_too_few_images_say_nothing_of_new_ones(images):
    runs = made({"a": ["x", "y"]}, seeds=4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (effect,) = effects(runs, ["a"], scores=np.zeros((8, images), bool)).main
    assert effect.estimate.seeds_and_images is None


def test_levels_of_any_plain_kind_and_names_of_any_kind():
    levels = {"model.kernel size": [3, 5], "drop-out": [None, 0.25], "1": [True, False]}
    runs = made(levels, seeds=2).astype(dict.fromkeys(levels, object))
    of_factors = effects(runs, list(levels))
    assert [(effect.factor, effect.reference, effect.level) for effect in of_factors.main] == [
        ("model.kernel size", 3, 5),
        ("drop-out", None, 0.25),
        ("1", True, False),
    ]
    assert all(estimate.p is not None for estimate in estimates(of_factors))


def test_a_factor_with_one_level_takes_no_part():
    runs = made({"a": ["x", "y"], "b": ["x"]}, seeds=3)
    of_factors = effects(runs, ["a", "b"])
    assert [effect.factor for effect in of_factors.main] == ["a"]
    assert of_factors.interactions == []
    assert effects(runs, ["b"]).main == []


def test_one_seed_leaves_nothing_to_judge_noise_by():
    of_factors = effects(made({"a": "xy", "b": "xy", "c": "xy"}, seeds=1), ["a", "b", "c"])
    for estimate in estimates(of_factors):
        assert estimate.difference is not None
        assert (estimate.low, estimate.high, estimate.p, estimate.p_holm) == (None,) * 4


def test_what_a_single_seed_determines_has_no_interval():
    runs = made({"a": ["x", "y", "z"], "b": ["u", "v"]}, seeds=3)
    lone = (runs["a"] == "z") & (runs["b"] == "v") & (runs["seed"] > 0)
    of_factors = effects(runs[~lone], ["a", "b"])
    by_levels = {tuple(effect.levels): effect.estimate for effect in of_factors.interactions}
    assert by_levels["z", "v"].difference is not None
    assert by_levels["z", "v"].low is None
    assert by_levels["y", "v"].low is not None


def test_runs_without_noise_are_no_surer_than_whole_images_allow():
    runs = made({"a": "xy", "b": "xy"}, seeds=3)
    runs["test_value"] = np.where(runs["a"] == "x", 2.1, 1.7)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        least = (100 / 1000) ** 2 / 12
        a, b = (effect.estimate for effect in effects(runs, ["a", "b"], least_variance=least).main)
    assert a.difference == pytest.approx(-0.4)
    assert a.standard_error == pytest.approx(np.sqrt(12 * least / 6**2))
    assert a.low < -0.4 < a.high < 0
    assert 0 < a.p < 0.01
    assert b.p == pytest.approx(1)


def test_missing_runs_do_not_shift_an_effect():
    runs = made({"a": "xyz", "b": "xy"}, seeds=4)
    runs["test_value"] = runs["a"].map({"x": 1, "y": 2, "z": 4}) + 5.0 * (runs["b"] == "y")
    of_factors = effects(runs.drop(index=[0, 1, 9, 23]), ["a", "b"])
    assert [effect.estimate.difference for effect in of_factors.main] == pytest.approx([1, 3, 5])


def test_of_what_ran_beside_each_other_a_missing_variant_hides_nothing():
    full = made({"a": "xyz", "b": "xy"}, seeds=4)
    runs = full[(full["a"] != "z") | (full["b"] != "y")]
    found = effects(runs, ["a", "b"])
    means = runs.groupby(["a", "b"])["test_value"].mean()
    main = {(effect.factor, effect.level): effect.estimate for effect in found.main}
    both = (means["y"] - means["x"]).mean()
    assert main["a", "y"].difference == pytest.approx(both)
    # Averages over levels of which one wasn't run beside this one, or with it.
    assert main["a", "z"].difference is main["b", "y"].difference is None
    between = {tuple(effect.levels): effect.estimate for effect in found.interactions}
    apart = (means["y", "y"] - means["y", "x"]) - (means["x", "y"] - means["x", "x"])
    assert between["y", "y"].difference == pytest.approx(apart)
    assert between["y", "y"].p_holm == between["y", "y"].p  # the only one that is tested
    assert between["z", "y"].difference is None
    at = {(own.factor, own.level, own.at): own.estimate.difference for own in found.simple}
    assert at["b", "y", "x"] == pytest.approx(means["x", "y"] - means["x", "x"])
    assert at["a", "z", "x"] == pytest.approx(means["z", "x"] - means["x", "x"])
    assert at["b", "y", "z"] is at["a", "z", "y"] is None
    told = {(own["factor"], own["level"], own["at"]) for own in found.as_json()["simple"]}
    assert {("a", "z", "x"), ("b", "y", "x"), ("b", "y", "y")} <= told  # of no average


def test_an_interaction_beside_a_missing_variant_contradicts_averages_as_ever():
    runs = made({"a": "xyz", "b": "xy"}, seeds=5)
    runs["test_value"] += 3.0 * ((runs["a"] == "y") == (runs["b"] == "y"))
    for there in (runs, runs[(runs["a"] != "z") | (runs["b"] != "y")]):
        found = effects(there, ["a", "b"])
        (a_y,) = (effect for effect in found.main if (effect.factor, effect.level) == ("a", "y"))
        (b_y,) = (effect for effect in found.main if effect.factor == "b")
        assert a_y.contradicted_by == ["b"]
        assert b_y.contradicted_by == ["a"]


def test_seeds_of_one_level_alone_are_none_of_an_effects():
    runs = made({"a": "xy"}, seeds=20)
    (effect,) = effects(runs[(runs["a"] == "x") | (runs["seed"] < 5)], ["a"]).main
    pairs = runs[runs["seed"] < 5].pivot_table(index="seed", columns="a", values="test_value")
    expected = stats.ttest_rel(pairs["y"], pairs["x"])
    assert effect.estimate.n == 5
    assert effect.estimate.p == pytest.approx(expected.pvalue)


def test_factors_that_always_change_together_cannot_be_told_apart():
    runs = made({"a": "xy", "c": "xy"}, seeds=4).assign(b=lambda table: table["a"])
    by_factor = {effect.factor: effect.estimate for effect in effects(runs, ["a", "b", "c"]).main}
    assert by_factor["a"].difference is by_factor["b"].difference is None
    assert by_factor["c"].p is not None


def test_more_seeds_are_asked_for_where_nothing_is_shown():
    (effect,) = effects(made({"a": ["x", "y"]}, seeds=3), ["a"]).main
    assert not effect.estimate.shown
    assert effect.estimate.more_seeds > 0
    assert effect.estimate.as_json()["more_seeds"] == effect.estimate.more_seeds
