"""The committed factorial's numbers, computed again with plain NumPy and SciPy."""

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from sidebyside import UserError
from sidebyside.analysis.analyse import analyse
from sidebyside.analysis.multiplicity import holm
from sidebyside.config.schema import Study


@pytest.fixture(scope="module")
def content(committed_factorial):
    """What the report says, to nine digits."""
    study = Study(name="factorial", expected_equal=["data_format"])
    return analyse(committed_factorial, study, []).content


@pytest.fixture(scope="module")
def wrong(committed_factorial):
    """Whether a prediction is wrong: by variant, shape (seeds, images)."""
    evidence = committed_factorial
    names = dict.fromkeys(run.variant for run in evidence.runs)
    return {
        name: np.stack([run.predicted != evidence.target for run in evidence.of_variant(name)])
        for name in names
    }


def close(number):
    return pytest.approx(number, rel=2e-9, abs=1e-9)


def test_identical_networks_are_counted_once(content, wrong):
    assert len(content["identical"]) == 4
    for first, second in content["identical"]:
        assert "dropout=false" in first
        assert second == first.replace("channels_last", "channels_first")
        assert (wrong[first] == wrong[second]).all()
    named = {name for pair in content["pairs"] for name in (pair["a"], pair["b"])}
    assert len(content["pairs"]) == len(list(combinations(named, 2))) == 66
    best = content["selection"]["chosen"]
    against = [pair["verdict"] for pair in content["pairs"] if pair["b"] == best]
    assert (against.count("worse"), len(against)) == (5, 11)


def test_every_pair_is_a_paired_t_test(content, wrong):
    expected = []
    for pair in content["pairs"]:
        a, b = (100 * wrong[pair[name]].mean(axis=1) for name in ("a", "b"))
        by_scipy = stats.ttest_rel(a, b)
        ends = by_scipy.confidence_interval()
        assert pair["difference"]["low"] == close(ends.low)
        assert pair["difference"]["high"] == close(ends.high)
        assert pair["p"] == close(by_scipy.pvalue)
        within = max(
            stats.ttest_1samp(a - b, 0.1, alternative="less").pvalue,
            stats.ttest_1samp(a - b, -0.1, alternative="greater").pvalue,
        )
        assert pair["p_equivalent"] == close(within)
        expected.append(by_scipy.pvalue)
    assert [pair["p_holm"] for pair in content["pairs"]] == close(holm(expected))


def test_every_pair_has_an_interval_for_new_seeds_and_images(content, wrong):
    for pair in content["pairs"]:
        apart = 100.0 * (wrong[pair["a"]].astype(int) - wrong[pair["b"]])
        n, images = apart.shape
        rows, columns, mean = apart.mean(axis=1), apart.mean(axis=0), apart.mean()
        seeds, of_images = rows.var(ddof=1) / n, columns.var(ddof=1) / images
        rest = apart - rows[:, None] - columns + mean
        residual = (rest**2).sum() / ((n - 1) * (images - 1)) / (n * images)
        variance = max(seeds + of_images - residual, of_images - residual / 2)
        freedom = variance**2 / (
            seeds**2 / (n - 1)
            + of_images**2 / (images - 1)
            + residual**2 / ((n - 1) * (images - 1))
        )
        freedom = max(freedom, n - 1)  # a sum has no fewer than the least of its parts
        half = max(
            stats.t.ppf(0.975, freedom) * np.sqrt(variance),
            stats.t.ppf(0.975, n - 1) * np.sqrt(seeds),
        )
        low, high = mean - half, mean + half
        assert pair["seeds_and_images"] == {"low": close(low), "high": close(high)}


def test_main_effects_are_t_tests_of_contrasts_by_seed(content, wrong):
    errors = {name: 100 * rows.mean(axis=1) for name, rows in wrong.items()}
    for effect in content["effects"]["main"]:
        level = f"{effect['factor']}={str(effect['level']).lower()}"
        chosen = np.mean([e for name, e in errors.items() if level in name], axis=0)
        others = np.mean([e for name, e in errors.items() if level not in name], axis=0)
        by_scipy = stats.ttest_rel(chosen, others)
        assert effect["p"] == close(by_scipy.pvalue)
        assert effect["low"] == close(by_scipy.confidence_interval().low)
        assert effect["degrees_of_freedom"] == close(4)


def test_layouts_are_compared_over_what_differs(content, wrong):
    (entry,) = content["equivalence"]
    apart = [
        100 * (wrong[name.replace("channels_last", "channels_first")].mean(axis=1))
        - 100 * rows.mean(axis=1)
        for name, rows in wrong.items()
        if "channels_last" in name and "dropout=true" in name
    ]
    by_seed = np.mean(apart, axis=0)
    by_scipy = stats.ttest_1samp(by_seed, 0).confidence_interval(0.9)
    assert (entry["pairs"], entry["identical"], entry["n"]) == (40, 20, 5)
    assert (entry["low"], entry["high"]) == (close(by_scipy.low), close(by_scipy.high))
    assert entry["equivalent"]


def test_a_mean_in_the_middle_is_one_number(committed_factorial):
    runs, right = [], committed_factorial.target
    for run, wrong in zip(committed_factorial.runs[:2], (163, 72), strict=True):
        predicted = right.copy()
        predicted[:wrong] = (right[:wrong] + 1) % 10
        runs.append(replace(run, predicted=predicted))  # 1.175 % on average
    told = analyse(replace(committed_factorial, runs=runs), Study("factorial"), [9_000])
    (floor,), (mean,) = told.content["floor"]["variants"], told.over_seeds.values()
    assert mean["mean"] == floor["with"] == 1.175


@pytest.mark.parametrize("wrong", [0, 1])
def test_runs_of_which_no_image_varies_are_as_doubtful_of_new_images_as_one(
    committed_factorial, wrong
):
    target = committed_factorial.target
    runs = [
        replace(run, predicted=(target + wrong) % 10, weights_digest=run.key)
        for run in committed_factorial.runs[:3]
    ]
    told = analyse(replace(committed_factorial, runs=runs), Study("factorial"), [])
    (both,), (images,) = told.seeds_and_images.values(), told.over_images.values()
    by_scipy = stats.binomtest(wrong * len(target), len(target)).proportion_ci(method="wilson")
    assert both == {"low": close(100 * by_scipy.low), "high": close(100 * by_scipy.high)}
    assert both == {"low": images["low"], "high": images["high"]}


def test_a_disputed_label_is_of_a_test_image(committed_factorial):
    few = replace(committed_factorial, runs=committed_factorial.runs[:2])
    with pytest.raises(UserError, match=r"test image 10000, and there are 10000"):
        analyse(few, Study("factorial"), [9_999, 10_000])


@pytest.mark.slow
def test_networks_that_diverged_say_nothing_of_layouts(committed_factorial):
    study = Study("factorial", expected_equal=["data_format"])
    checks = [{"images": 400, "flips": 0, "largest_difference": size} for size in (1e-6, math.nan)]

    def exact(*layouts):
        runs = [
            replace(run, layout=layouts[number % len(layouts)])
            for number, run in enumerate(committed_factorial.runs)
        ]
        (entry,) = analyse(replace(committed_factorial, runs=runs), study, []).content[
            "equivalence"
        ]
        return entry["exact"]

    of_half = {"networks": 40, "images": 40 * 400, "flips": 0, "largest_difference": 1e-6}
    assert exact(*checks) == exact(*reversed(checks)) == of_half
    assert exact(checks[1]) is None
