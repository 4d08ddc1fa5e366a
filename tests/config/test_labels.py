"""Short names of runs."""

import itertools

import pytest

from sidebyside import compose
from sidebyside.config.labels import short_name, short_run_name


@pytest.mark.parametrize(
    ("factors", "expected"),
    [
        ({}, ""),
        ({"kernel_size": 3}, "ks=3"),
        ({"units": 64, "dropout": False, "batch_norm": True}, "units=64 no dropout batch_norm"),
        ({"learning_rate": 0.01, "optimizer": "adam"}, "lr=0.01 adam"),
        ({"schedule": None}, "no schedule"),
    ],
)
def test_a_level_without_a_label_is_called_what_it_is(factors, expected):
    assert short_name(factors, {}) == expected


def test_the_shipped_labels_tell_the_factorial_apart_in_25_letters(home):
    labels = compose().tracking.labels
    levels = {
        "kernel_size": (3, 5),
        "dropout": (True, False),
        "optimizer": ("adam", "adadelta"),
        "data_format": ("channels_last", "channels_first"),
    }
    names = [
        short_run_name(short_name(dict(zip(levels, own, strict=True)), labels), seed)
        for own in itertools.product(*levels.values())
        for seed in (0, 1)
    ]
    assert names[0] == "3x3 drop adam last s0"
    assert len({name[:25] for name in names}) == 32


def test_labels_are_config(home):
    labels = compose("+tracking.labels.model={mlp: perceptron}").tracking.labels
    assert short_name({"model": "mlp", "dropout": True}, labels) == "perceptron drop"
    assert short_run_name("", 4) == "s4"
