"""The corrected resampled t test, computed again with plain NumPy and SciPy."""

import importlib.util
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from sidebyside.analysis.analyse import analyse
from sidebyside.analysis.power import more_pairs, pairs_needed
from sidebyside.analysis.tables import least_variance_of
from sidebyside.config.factors import variant_name
from sidebyside.config.metrics import BALANCED_ERROR, CALIBRATION_ERROR, ERROR, LOG_LOSS
from sidebyside.config.schema import Study
from sidebyside.data.folds import divide_by_seed
from sidebyside.storage.evidence import UNTESTED, Evidence, RunEvidence
from sidebyside.storage.evidence_files import read_evidence, write_evidence

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "crossvalidation.py"
IMAGES, SEEDS, RATIO = 1003, 10, 1 / 4  # n_test / n_train of five folds
TARGET = (np.arange(IMAGES) % 10).astype(np.uint8)
RATES = {"a": {1: 0.10, 2: 0.13}, "b": {1: 0.0, 2: 0.002}}  # what levels add to the error
STUDY = Study(name="folds", margin=2.0, expected_equal=["b"])


def run(factors, seed):
    """Return a run that is wrong on some images of its fold, and has nothing of the others."""
    rng = np.random.default_rng([seed, *factors.values()])
    _, own = divide_by_seed("kfold5", TARGET, seed)
    rate = sum(RATES[name][level] for name, level in factors.items())
    predicted, certainty = np.zeros(IMAGES, np.uint8), np.full(IMAGES, UNTESTED, np.float16)
    wrong = rng.random(len(own)) < rate
    predicted[own] = np.where(wrong, (TARGET[own] + 1) % 10, TARGET[own])
    certainty[own] = ~wrong
    return RunEvidence(
        key=f"{variant_name(factors)} {seed}",
        variant=variant_name(factors),
        factors=factors,
        seed=seed,
        identity={"recipe": {"protocol": "kfold5", "seed": seed}},
        parameters=10,
        weights_digest=f"{factors} {seed}",
        history={"loss": [0.1]},
        test_loss=0.1,
        layout=None,
        predicted=predicted,
        certainty=certainty,
    )


@pytest.fixture(scope="module")
def evidence():
    levels = [dict(zip("ab", own, strict=True)) for own in product((1, 2), (1, 2))]
    nothing = np.zeros((0, 8, 8), np.uint8)
    return Evidence(
        dataset="digits",
        study="folds",
        runs=[run(factors, seed) for factors in levels for seed in range(SEEDS)],
        target=TARGET,
        samples=nothing,
        sample_labels=np.zeros(0, np.uint8),
        missing=[],
        ensembles=[],
        gallery_index=np.zeros(0, np.int32),
        gallery=nothing,
    )


@pytest.fixture(scope="module")
def errors(evidence):
    """Test errors by variant, percent of each run's fold."""
    found = {}
    for run in evidence.runs:
        _, own = divide_by_seed("kfold5", TARGET, run.seed)
        wrong = run.predicted[own] != TARGET[own]
        found.setdefault(run.variant, []).append(100 * wrong.mean())
    return {name: np.array(own) for name, own in found.items()}


@pytest.fixture(scope="module")
def analysis(evidence):
    return analyse(evidence, STUDY, disputed=[1, 2])


def close(number):
    return pytest.approx(number, rel=1e-6, abs=1e-6)  # an error in percent has six decimals


def corrected(values):
    """Return mean, standard error and degrees of freedom after Nadeau & Bengio."""
    n = len(values)
    return values.mean(), np.sqrt((1 / n + RATIO) * values.var(ddof=1)), n - 1


def ends(values, confidence=0.95):
    mean, error, freedom = corrected(values)
    return stats.t.interval(confidence, freedom, mean, error)


def p_value(values):
    mean, error, freedom = corrected(values)
    return 2 * stats.t.sf(abs(mean) / error, freedom)


def test_every_image_tests_each_variant_once_a_repetition(evidence):
    for variant in dict.fromkeys(run.variant for run in evidence.runs):
        tested = np.array([run.tested for run in evidence.of_variant(variant)])
        assert (tested[:5].sum(axis=0) == 1).all()
        assert (tested[5:].sum(axis=0) == 1).all()


def test_errors_are_of_the_fold_alone(evidence, errors):
    for name, own in errors.items():
        assert [evidence.test_error(run) for run in evidence.of_variant(name)] == close(own)
    run = evidence.runs[0]
    assert evidence.confusion(run).sum() == run.tested.sum() == 201


def test_means_have_corrected_intervals(analysis, errors):
    for name, own in errors.items():
        found = analysis.over_seeds[name]
        assert (found["low"], found["high"]) == close(ends(own))
        assert found["sd"] == close(own.std(ddof=1))


def test_every_pair_is_a_corrected_t_test(analysis, errors):
    assert len(analysis.content["pairs"]) == 6
    for pair in analysis.content["pairs"]:
        apart = errors[pair["a"]] - errors[pair["b"]]
        assert pair["difference"]["mean"] == close(apart.mean())
        assert (pair["difference"]["low"], pair["difference"]["high"]) == close(ends(apart))
        assert pair["p"] == close(p_value(apart))
        mean, error, freedom = corrected(apart)
        assert pair["p_equivalent"] == close(stats.t.sf((2.0 - abs(mean)) / error, freedom))


def test_factors_are_corrected_contrasts_by_seed(analysis, errors):
    (by_a, by_b), (interaction,) = (
        analysis.content["effects"][kind] for kind in ("main", "interactions")
    )
    e11, e12, e21, e22 = errors.values()
    for effect, by_seed in (
        (by_a, (e21 + e22 - e11 - e12) / 2),
        (by_b, (e12 + e22 - e11 - e21) / 2),
        (interaction, e22 - e21 - e12 + e11),
    ):
        assert effect["difference"] == close(by_seed.mean())
        assert (effect["low"], effect["high"]) == close(ends(by_seed))
        assert effect["p"] == close(p_value(by_seed))
        assert effect["degrees_of_freedom"] == close(SEEDS - 1)


def test_levels_are_equivalent_by_corrected_tests(analysis, errors):
    (entry,) = analysis.content["equivalence"]
    e11, e12, e21, e22 = errors.values()
    by_seed = (e12 + e22 - e11 - e21) / 2
    mean, error, freedom = corrected(by_seed)
    assert (entry["low"], entry["high"]) == close(ends(by_seed, 0.90))
    assert entry["p"] == close(stats.t.sf((2.0 - abs(mean)) / error, freedom))


def test_power_is_that_of_the_corrected_test(analysis):
    power = analysis.content["power"]
    alpha = 0.05 / power["pairs"]

    def reached(difference, n):
        told = difference / (power["sd"] * np.sqrt(1 / n + RATIO))
        return stats.nct.sf(stats.t.isf(alpha / 2, n - 1), n - 1, told)

    assert reached(power["smallest_difference"], SEEDS) == pytest.approx(0.8, abs=1e-6)


@pytest.mark.parametrize(("size", "needed"), [(4.0, 5), (2.0, 10), (1.5, 45), (1.48, None)])
def test_seeds_needed_are_whole_repetitions_and_ten_at_most(size, needed):
    def reached(n):
        told = size / np.sqrt(1 / n + RATIO)
        return stats.nct.sf(stats.t.isf(0.025, n - 1), n - 1, told)

    enough = next((n for n in range(5, 51, 5) if reached(n) >= 0.8), None)
    assert pairs_needed(1.0, size, 0.05, folds=5) == enough == needed
    more = more_pairs(size, 1.0, 5, 0.05, folds=5)
    assert more == (None if enough is None else max(5, enough - 5))


def test_what_takes_the_same_images_is_left_out(analysis):
    assert set(analysis.over_images.values()) == {None}
    assert set(analysis.seeds_and_images.values()) == {None}
    for pair in analysis.content["pairs"]:
        assert pair["over_images"] is pair["seeds_and_images"] is pair["mcnemar_p"] is None
    left_out = [analysis.content[name] for name in ("floor", "selection")]
    assert left_out == [None, None]
    assert analysis.content["ensemble"] == {"variants": [], "mean_gain": None}


def test_evidence_keeps_which_images_tested_a_run(evidence, tmp_path):
    write_evidence(tmp_path / "evidence.npz", evidence)
    again = read_evidence(tmp_path / "evidence.npz")
    assert again.folds == 5
    for before, after in zip(evidence.runs, again.runs, strict=True):
        np.testing.assert_array_equal(before.tested, after.tested)
    assert (
        analyse(again, STUDY, []).content["pairs"] == analyse(evidence, STUDY, []).content["pairs"]
    )


@pytest.fixture(scope="module")
def judged(evidence):
    """The same runs by a log loss per image, 0 where an image didn't test them."""
    runs = []
    for number, own in enumerate(evidence.runs):
        losses = np.random.default_rng(number).gamma(0.5 + own.factors["a"], 0.1, IMAGES)
        scores = np.where(own.tested, losses, 0).astype(np.float32)
        runs.append(replace(own, scores=scores, value=float(scores[own.tested].mean(dtype=float))))
    return replace(evidence, runs=runs, metric=LOG_LOSS, margin=0.05)


def test_another_metric_is_judged_by_corrected_tests(judged, tmp_path):
    write_evidence(tmp_path / "evidence.npz", judged)
    study = replace(STUDY, metric="log_loss", margin=0.05)
    analysis = analyse(read_evidence(tmp_path / "evidence.npz"), study, disputed=[1, 2])
    values = {}
    for run in judged.runs:
        values.setdefault(run.variant, []).append(run.value)
    values = {name: np.array(own) for name, own in values.items()}
    for name, own in values.items():
        found = analysis.over_seeds[name]
        assert (found["low"], found["high"]) == close(ends(own))
    for pair in analysis.content["pairs"]:
        apart = values[pair["a"]] - values[pair["b"]]
        assert (pair["difference"]["low"], pair["difference"]["high"]) == close(ends(apart))
        assert pair["p"] == pytest.approx(p_value(apart), rel=1e-6)
        mean, error, freedom = corrected(apart)
        expected = stats.t.sf((0.05 - abs(mean)) / error, freedom)
        assert pair["p_equivalent"] == pytest.approx(expected, rel=1e-6)
        assert pair["over_images"] is pair["seeds_and_images"] is pair["mcnemar_p"] is None
    e11, e12, e21, e22 = values.values()
    of_a = next(own for own in analysis.content["effects"]["main"] if own["factor"] == "a")
    assert (of_a["low"], of_a["high"]) == close(ends((e21 + e22 - e11 - e12) / 2))
    assert of_a["seeds_and_images"] is None


@pytest.mark.parametrize(
    ("metric", "scores"),
    [(ERROR, None), (BALANCED_ERROR, np.ones), (LOG_LOSS, np.ones), (CALIBRATION_ERROR, None)],
)
def test_what_rounding_hides_is_that_of_the_smallest_fold(evidence, metric, scores):
    filled = None if scores is None else scores(IMAGES)
    runs = [replace(own, scores=filled) for own in evidence.runs]
    hidden = least_variance_of(replace(evidence, runs=runs, metric=metric))
    counted = (100 / 200) ** 2 / 12  # 1003 images in five folds
    expected = {"test_error": counted, "balanced_error": counted}.get(metric.name, 0.0)
    assert hidden == pytest.approx(expected, rel=1e-3)


@pytest.mark.slow
def test_few_simulated_studies_find_what_is_not_there_without_the_correction():
    spec = importlib.util.spec_from_file_location("benchmark_of_folds", BENCHMARK)
    simulation = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(simulation)
    setting = simulation.Setting("nearest mean", 100, "kfold5")
    runs = simulation.simulated(setting, simulation.APART, 300)[:, :, :10]
    differences = runs[:, 1] - runs[:, 0]
    assert simulation.found(differences) > 0.1  # at a level of 0.05
    assert simulation.found(differences, folds=5) < 0.06
    assert simulation.holds(runs[:, 0]) < 0.9
    assert simulation.holds(runs[:, 0], folds=5) > 0.93
