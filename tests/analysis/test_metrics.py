"""What probabilities are worth by each metric, and what the statistics make of it."""

import sys

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, log_loss, top_k_accuracy_score

from sidebyside import UserError
from sidebyside.analysis.effects.effects import effects
from sidebyside.analysis.images import difference_over_images, mean_over_images
from sidebyside.analysis.intervals import mean_over_skewed, rounding_variance
from sidebyside.analysis.metrics.replicate import Replicate
from sidebyside.analysis.metrics.scores import (
    all_values,
    check_metric,
    least_variance,
    scores_by_image,
    value_of_run,
)
from sidebyside.analysis.pairs import compare_pair
from sidebyside.analysis.selection import Candidate, select
from sidebyside.config.metrics import (
    BALANCED_ERROR,
    BRIER,
    CALIBRATION_ERROR,
    ERROR,
    LOG_LOSS,
    OwnMetric,
    metric_of,
    top_k_error,
)

CLASSES, IMAGES = 6, 400
GAIN = metric_of(OwnMetric(name="gain", target="own_scores.gain", unit="coins", better="higher"))


@pytest.fixture(scope="module")
def data():
    """Probabilities of a network and the true classes, which are of unequal numbers."""
    generator = np.random.default_rng(5)
    target = generator.choice(CLASSES, IMAGES, p=[0.4, 0.3, 0.1, 0.1, 0.06, 0.04]).astype(np.uint8)
    logits = generator.normal(0, 1.5, (IMAGES, CLASSES))
    logits[np.arange(IMAGES), target] += 1.5
    probabilities = np.exp(logits)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return probabilities.astype(np.float32), target


def value(metric, data):
    return value_of_run(metric, *data, scores_by_image(metric, *data))


def test_a_network_that_diverged_is_never_the_better_one(data):
    """By a metric of the probabilities as by the error: NaN is less than nothing."""
    probabilities, target = data
    diverged = np.full_like(probabilities, np.nan)
    good, bad = all_values(probabilities, target), all_values(diverged, target)
    assert all(np.isfinite(value) for value in bad.values())
    assert all(bad[name] > good[name] for name in good)
    assert bad[LOG_LOSS.name] == pytest.approx(-np.log(1e-7))
    assert bad[CALIBRATION_ERROR.name] == pytest.approx(100, abs=1e-3)
    assert bad[BRIER.name] == pytest.approx(2, abs=1e-3)
    assert bad[ERROR.name] == pytest.approx(100 * np.mean(target != 0))


def test_values_are_those_of_scikit_learn(data):
    probabilities, target = data
    predicted = probabilities.argmax(axis=1)
    one_hot = np.eye(CLASSES)[target]
    exact = probabilities.astype(float)
    exact /= exact.sum(axis=1, keepdims=True)
    expected = {
        ERROR: 100 * (predicted != target).mean(),
        LOG_LOSS: log_loss(target, exact),
        BRIER: ((probabilities - one_hot) ** 2).sum(axis=1).mean(),
        top_k_error(2): 100 * (1 - top_k_accuracy_score(target, probabilities, k=2)),
        top_k_error(5): 100 * (1 - top_k_accuracy_score(target, probabilities, k=5)),
        BALANCED_ERROR: 100 * (1 - balanced_accuracy_score(target, predicted)),
    }
    for metric, number in expected.items():
        assert value(metric, data) == pytest.approx(number, rel=1e-6), metric.name
    values = all_values(*data)
    assert values == {metric.name: value(metric, data) for metric in [*expected, CALIBRATION_ERROR]}
    assert len(all_values(probabilities[:, :2], target % 2)) == 5  # two classes: no top-k error


def test_the_calibration_error_is_how_far_certainty_is_from_being_right(data):
    probabilities, target = data
    certainty, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == target
    apart = 0.0
    for lowest in np.arange(15) / 15:
        within = (certainty > lowest) & (certainty <= lowest + 1 / 15)
        if within.any():
            apart += abs(right[within].mean() - certainty[within].mean()) * within.mean()
    assert value(CALIBRATION_ERROR, data) == pytest.approx(100 * apart, rel=1e-5)
    assert scores_by_image(CALIBRATION_ERROR, *data).size == 0


def test_a_log_loss_is_never_infinite_and_ties_go_to_the_lower_class():
    certain = np.array([[1, 0, 0], [1, 0, 0]], np.float32)
    target = np.array([0, 1], np.uint8)
    assert scores_by_image(LOG_LOSS, certain, target) == pytest.approx([0, -np.log(1e-7)])
    even = np.full((3, 3), 1 / 3, np.float32)
    assert scores_by_image(top_k_error(2), even, np.arange(3, dtype=np.uint8)).tolist() == [
        False,
        False,
        True,
    ]


def test_what_is_left_of_a_variance_comes_from_the_steps_of_a_metric(data):
    _, target = data
    own = [scores_by_image(LOG_LOSS, *data)]
    assert 0 <= least_variance(LOG_LOSS, target, own) < 1e-12
    assert least_variance(CALIBRATION_ERROR, target, [np.zeros(0)]) == 0
    wrong = [scores_by_image(top_k_error(2), *data)]
    assert least_variance(top_k_error(2), target, wrong) == rounding_variance(IMAGES)
    costs = [100 * wrong[0].astype(np.float32)]
    assert least_variance(GAIN, target, costs) == pytest.approx(rounding_variance(IMAGES))
    balanced = (np.arange(IMAGES) % 5).astype(np.uint8)
    of_classes = least_variance(BALANCED_ERROR, balanced, [np.zeros(IMAGES, np.float32)])
    assert of_classes == pytest.approx(rounding_variance(IMAGES))
    unequal = least_variance(BALANCED_ERROR, target, [np.zeros(IMAGES, np.float32)])
    assert unequal > rounding_variance(IMAGES)


OWN = """import numpy as np
def gain(probabilities, target):
    return np.where(probabilities.argmax(axis=1) == target, 1.0, -5.0)
def short(probabilities, target):
    return np.zeros(3)
def infinite(probabilities, target):
    return np.where(probabilities.max(axis=1) == 1, np.inf, 0)
def together(probabilities, target):
    return probabilities.max(axis=1) - probabilities.max()
def broken(probabilities, target):
    raise KeyError("nothing")
number = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module beside conf/ with scores of one's own."""
    (tmp_path / "own_scores.py").write_text(OWN)
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(tmp_path))
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    sys.modules.pop("own_scores", None)


def test_a_function_of_ones_own_scores_each_image(own, data):
    probabilities, target = data
    check_metric(GAIN, CLASSES)
    right = probabilities.argmax(axis=1) == target
    assert value(GAIN, data) == pytest.approx(np.where(right, 1, -5).mean())


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("own_scores.none", "there is no own_scores.none"),
        ("no_such_module.gain", "there is no no_such_module.gain"),
        ("own_scores.number", "own_scores.number is no function"),
        ("own_scores.short", r"an array of shape \(3,\) for probabilities"),
        ("own_scores.infinite", "scores that aren't finite"),
        ("own_scores.together", "gives an image another score"),
        ("own_scores.broken", "own_scores.broken says KeyError"),
    ],
)
def test_a_function_that_cannot_judge_runs_is_refused(own, target, words):
    with pytest.raises(UserError, match=words) as refused:
        check_metric(metric_of(OwnMetric(name="own", target=target)), CLASSES)
    assert "\n" not in str(refused.value)


def test_as_many_classes_as_a_network_may_name_are_refused():
    check_metric(top_k_error(5), CLASSES)
    with pytest.raises(UserError, match=r"study\.metric=top6_error won't do for 6 classes"):
        check_metric(top_k_error(6), CLASSES)


def replicate(name, scores, metric):
    values = scores.mean(axis=1).tolist()
    seeds = list(range(len(scores)))
    return Replicate(name, seeds, values, scores, [f"{name} {s}" for s in seeds], metric, 0.0)


@pytest.fixture(scope="module")
def losses():
    """Skewed scores of two variants on the same images, b's lower."""
    generator = np.random.default_rng(1)
    hard = generator.gamma(0.2, 1, 1_000)
    return [hard * generator.lognormal(shift, 0.2, (5, 1)) for shift in (0, -0.5)]


@pytest.mark.parametrize(("metric", "verdict"), [(LOG_LOSS, "worse"), (GAIN, "better")])
def test_a_pair_is_judged_in_the_direction_of_its_metric(losses, metric, verdict):
    a, b = (replicate(n, own, metric) for n, own in zip("ab", losses, strict=True))
    pair = compare_pair(a, b, 0.01)
    expected = stats.ttest_rel(a.values, b.values)
    assert pair.p == pytest.approx(expected.pvalue)
    ends = expected.confidence_interval()
    assert (pair.difference["low"], pair.difference["high"]) == pytest.approx(ends)
    assert pair.verdict == verdict
    assert pair.mcnemar_p is None
    assert pair.superiority == pytest.approx(
        np.mean([metric.rank(x) < metric.rank(y) for x in a.values for y in b.values])
    )
    per_image = losses[0].mean(axis=0) - losses[1].mean(axis=0)
    over = pair.over_images
    assert over["mean"] == pytest.approx(per_image.mean())
    assert over["p"] == pytest.approx(stats.ttest_1samp(per_image, 0).pvalue)
    assert over["low"] < over["mean"] < over["high"]


def test_one_run_each_of_a_loss_has_no_mcnemar_test(losses):
    a, b = (replicate(n, own[:1], LOG_LOSS) for n, own in zip("ab", losses, strict=True))
    pair = compare_pair(a, b, 0.01)
    assert (pair.mcnemar_p, pair.p, pair.verdict) == (None, None, "can't tell")


def test_a_value_that_is_no_mean_over_images_has_intervals_over_seeds_alone():
    none = np.zeros((5, 0), np.float32)
    values = [3.0, 3.2, 3.1, 3.4, 2.9], [2.0, 2.1, 2.4, 2.2, 2.1]
    a, b = (
        Replicate(n, list(range(5)), own, none, [n] * 5, CALIBRATION_ERROR, 0.0)
        for n, own in zip("ab", values, strict=True)
    )
    pair = compare_pair(a, b, 0.1)
    assert pair.p == pytest.approx(stats.ttest_rel(*values).pvalue)
    assert (pair.seeds_and_images, pair.over_images, pair.verdict) == (None, None, "worse")
    assert mean_over_images(none) is None


def test_effects_are_in_the_unit_of_the_scores(losses):
    import pandas as pd

    scores = np.concatenate(losses)
    runs = pd.DataFrame({"v": ["a"] * 5 + ["b"] * 5, "seed": [*range(5)] * 2})
    runs["test_value"] = scores.mean(axis=1)
    (effect,) = effects(runs, ["v"], scores=scores).main
    assert effect.estimate.difference == pytest.approx(losses[1].mean() - losses[0].mean())
    both = effect.estimate.seeds_and_images
    assert both["low"] <= effect.estimate.difference <= both["high"]
    together = compare_pair(
        replicate("b", losses[1], LOG_LOSS), replicate("a", losses[0], LOG_LOSS), 0.1
    )
    assert both == pytest.approx(together.seeds_and_images)


@pytest.mark.parametrize(("metric", "best"), [(LOG_LOSS, "low"), (GAIN, "high")])
def test_choosing_by_validation_knows_which_test_figure_is_best(metric, best):
    candidates = [
        Candidate(name, [0, 1], [validation] * 2, test, metric)
        for name, validation, test in (
            ("mid", 1.0, [2.0, 2.1]),
            ("low", 2.0, [1.0, 1.1]),
            ("high", 3.0, [3.0, 3.1]),
            ("other", 4.0, [2.0, 2.3]),
        )
    ]
    found = select(candidates, dict.fromkeys(candidate.name for candidate in candidates))
    assert (found.chosen, found.best_test) == ("mid", best)
    assert 0 < found.flattery < 0.2  # drawn towards the others, which are worse
    entry = found.as_json()
    assert entry[metric.name] == pytest.approx(2.05)
    assert ("validation_loss" in entry) == (metric == LOG_LOSS)


def test_a_skewed_interval_is_students_without_skewness():
    values = np.concatenate([np.arange(50.0), -np.arange(50.0)])
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    assert mean_over_skewed(values).ends() == pytest.approx((expected.low, expected.high))
    assert mean_over_skewed(np.ones(9)).ends() == (1, 1)
    assert difference_over_images(np.ones((2, 9)), np.ones((1, 9))) == {
        "mean": 0,
        "low": 0,
        "high": 0,
        "p": 1,
    }


def test_an_interval_over_images_ends_where_the_metric_does():
    scores = np.zeros((1, 200), np.float32)
    scores[0, 7] = 1.0
    found = mean_over_images(scores, BALANCED_ERROR.bounds)
    assert found["low"] == 0 < found["mean"] < found["high"]


@pytest.mark.parametrize("sign", [1, -1])
def test_each_end_of_a_skewed_interval_is_halls_or_students(sign):
    values = sign * np.random.default_rng(0).gamma(0.1, 1, 300)
    estimate = mean_over_skewed(values)
    students = stats.ttest_1samp(values, 0).confidence_interval()
    ends = sorted(sign * end for end in estimate.ends())
    inner, outer = sorted(sign * end for end in students)
    assert ends[0] == pytest.approx(inner)  # where few values are, Hall's end is the inner one
    assert ends[1] > outer
    x, skew = (sign * estimate.mean - ends[1]) / estimate.error, abs(estimate.skewness)
    transformed = x + skew * x**2 / 3 + skew**2 * x**3 / 27 + skew / 6
    assert transformed == pytest.approx(-stats.t.ppf(0.975, 299))
    assert skew == pytest.approx(abs(stats.skew(values)) / np.sqrt(300), rel=1e-2)
