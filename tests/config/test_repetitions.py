"""What a study under cross-validation can't be."""

from dataclasses import replace

import pytest

from sidebyside import UserError
from sidebyside.config.crossvalidation import check_folds
from sidebyside.config.validate import check


def grid(config, seeds, factors=None):
    return [(replace(config, seed=seed), factors or {}) for seed in seeds]


def refusal(runs):
    with pytest.raises(UserError) as refused:
        check_folds(runs)
    return str(refused.value)


@pytest.mark.parametrize("seeds", [range(5), range(10), range(5, 15), [9, 8, 7, 6, 5]])
def test_whole_repetitions_pass(compose, seeds):
    check_folds(grid(check(compose("study=factorial", "protocol=kfold5")), seeds))


@pytest.mark.parametrize("seeds", [range(3), range(7), range(1, 6), [0, 1, 2, 3, 9]])
def test_parts_of_a_repetition_are_refused(compose, seeds):
    config = check(compose("study=factorial", "protocol=kfold5"))
    told = refusal(grid(config, range(5), {"a": 1}) + grid(config, seeds, {"a": 2}))
    assert "seeds of whole repetitions, 5 each" in told
    assert "set training.seeds=5, or another multiple of 5" in told


def test_ten_folds_take_ten_seeds(compose):
    config = check(compose("study=factorial", "protocol=kfold10"))
    check_folds(grid(config, range(10)))
    assert "training.seeds=10" in refusal(grid(config, range(5)))


def test_runs_of_no_study_may_be_any(compose):
    check_folds(grid(check(compose("protocol=kfold5")), [3]))


def test_other_protocols_may_have_any_seeds(compose):
    check_folds(grid(check(compose("study=factorial")), range(3)))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("study.until=decided", "study.until=decided won't do with protocol=kfold5"),
        ("study.seeds=independent", "study.seeds=independent won't do with protocol=kfold5"),
    ],
)
def test_what_counts_on_independent_seeds_is_refused(compose, override, words):
    config = check(compose("study=factorial", "protocol=kfold5", override))
    assert words in refusal(grid(config, range(5)))


def test_what_is_no_mean_over_images_is_no_metric_of_folds(compose):
    override = ("study=factorial", "study.metric=calibration_error", "study.margin=1")
    told = refusal(grid(check(compose(*override, "protocol=kfold10")), range(10)))
    assert "study.metric=calibration_error won't do with protocol=kfold10" in told
    check_folds(grid(check(compose(*override)), range(3)))


@pytest.mark.parametrize("metric", ["log_loss", "brier", "top5_error", "balanced_error"])
def test_a_mean_over_images_is_a_metric_of_folds(compose, metric):
    override = (f"study.metric={metric}", "study.margin=1", "protocol=kfold5")
    check_folds(grid(check(compose("study=factorial", *override)), range(5)))


def test_protocols_are_not_mixed(compose):
    config = check(compose("study=factorial"))
    mixed = [(replace(config, protocol=own), {"protocol": own}) for own in ("clean", "kfold5")]
    assert "protocol=clean,kfold5 can't be held against each other" in refusal(mixed)


@pytest.mark.parametrize("override", ["training.patience=1", "training.keep=best"])
def test_early_stopping_has_no_validation_images(compose, override):
    with pytest.raises(UserError, match="protocol=kfold5 has none: choose protocol=clean"):
        check(compose("protocol=kfold5", override))


def test_a_batch_may_be_as_large_as_the_smallest_training_set(compose):
    check(compose("protocol=kfold5", "training.batch_size=3200"))
    with pytest.raises(UserError, match="more than the 3200 images"):
        check(compose("protocol=kfold5", "training.batch_size=3201"))


def test_the_shipped_study_is_a_cross_validation(compose):
    config = check(compose("study=crossvalidation", "dataset=digits", "training.seeds=10"))
    assert config.protocol == "kfold5"
    check_folds(grid(config, range(config.training.seeds)))
