"""The folds of cross-validation: who is held out when."""

import numpy as np
import pytest

from sidebyside import UserError, compose
from sidebyside.config.protocols import FOLDS, training_size
from sidebyside.data.arrays import scored_arrays, training_arrays
from sidebyside.data.folds import divide_by_seed
from sidebyside.data.prepare import prepare

LABELS = np.random.default_rng(0).choice(4, 203, p=[0.1, 0.2, 0.3, 0.4]).astype(np.uint8)


@pytest.fixture(params=FOLDS)
def protocol(request):
    return request.param


def test_each_repetition_holds_every_image_out_once(protocol):
    folds = FOLDS[protocol]
    for repetition in range(3):
        held = [
            divide_by_seed(protocol, LABELS, repetition * folds + own)[1] for own in range(folds)
        ]
        np.testing.assert_array_equal(np.sort(np.concatenate(held)), np.arange(len(LABELS)))


def test_no_image_trains_the_run_that_it_tests(protocol):
    for seed in range(2 * FOLDS[protocol]):
        training, held_out = divide_by_seed(protocol, LABELS, seed)
        together = np.sort(np.concatenate([training, held_out]))
        np.testing.assert_array_equal(together, np.arange(len(LABELS)))
        assert len(training) >= training_size(protocol, len(LABELS))


def test_folds_are_stratified(protocol):
    folds = FOLDS[protocol]
    held = [divide_by_seed(protocol, LABELS, seed)[1] for seed in range(folds)]
    counts = np.array([np.bincount(LABELS[own], minlength=4) for own in held])
    assert np.ptp(counts, axis=0).max() <= 1
    assert np.ptp(counts.sum(axis=1)) <= 1


def test_repetitions_divide_anew_and_always_in_the_same_way(protocol):
    first, again, other = (divide_by_seed(protocol, LABELS, s)[1] for s in (0, 0, FOLDS[protocol]))
    np.testing.assert_array_equal(first, again)
    assert len(np.intersect1d(first, other)) < len(first) / 2


def test_a_class_with_fewer_images_than_folds_is_refused():
    labels = np.repeat(np.arange(3), [20, 9, 20])
    divide_by_seed("kfold5", labels, 0)
    with pytest.raises(UserError, match=r"10 training images of each class.* class 1 has 9"):
        divide_by_seed("kfold10", labels, 0)


def test_a_run_trains_on_what_does_not_test_it_and_the_test_set_stays_closed(home):
    config = compose()
    arrays = prepare(config.dataset, config.data_format)
    assert not arrays.holds("kfold5_training")  # which would change all run keys
    images = arrays.read("train_images")
    for seed in (0, 7):
        training, validation = training_arrays(arrays, "kfold5", seed)
        assert validation is None
        tested, target = scored_arrays(arrays, "kfold5", seed)
        held_out = np.setdiff1d(np.arange(len(images)), training.indices)
        assert len(held_out) == len(target) == 800
        np.testing.assert_array_equal(tested, images[held_out])
        np.testing.assert_array_equal(target, arrays.read("train_classes")[held_out])
    assert not (home / "runs" / "journal.jsonl").exists()
