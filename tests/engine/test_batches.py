"""Batches: another order in each epoch, and no second copy of the images."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from sidebyside.engine.training.batches import Batches

COUNT = 50


def batches(**options) -> Batches:
    """Return batches whose images tell their own index."""
    images = np.arange(COUNT, dtype=np.float32).reshape(COUNT, 1, 1, 1)
    labels = np.eye(COUNT, dtype=np.float32)
    indices = np.arange(5, COUNT)
    return Batches(images, labels, indices, batch_size=8, **options)


def order(of: Batches) -> list[int]:
    """Return the indices of an epoch's images, after looking at their labels."""
    seen = []
    for number in range(len(of)):
        images, labels = of[number]
        assert images[:, 0, 0, 0].tolist() == labels.argmax(axis=1).tolist()
        seen += images[:, 0, 0, 0].astype(int).tolist()
    return seen


def test_epochs_see_all_images_in_different_orders():
    of = batches(seed=0)
    of.on_epoch_begin()
    first = order(of)
    of.on_epoch_end()
    of.on_epoch_begin()
    second = order(of)
    assert sorted(first) == sorted(second) == list(range(5, COUNT))
    assert first != second


def test_an_order_depends_on_seed_and_epoch_alone():
    of = batches(seed=3)
    for _ in range(3):
        of.on_epoch_begin()
    assert order(of) == order(batches(seed=3, epoch=2))
    assert order(of) != order(batches(seed=4, epoch=2))


def test_without_a_seed_the_order_stays():
    of = batches()
    assert order(of) == list(range(5, COUNT))
    of.on_epoch_begin()
    assert order(of) == list(range(5, COUNT))


@pytest.mark.parametrize("metrics", [[], ["accuracy"]])
@pytest.mark.parametrize("built", [True, False])
def test_fit_sees_the_order_of_each_epoch(built, metrics):
    taken = []

    class Recorded(Batches):
        def __getitem__(self, index):
            images, labels = super().__getitem__(index)
            taken.extend(images[:, 0, 0, 0].astype(int).tolist())
            return images, labels

    images = np.arange(COUNT, dtype=np.float32).reshape(COUNT, 1, 1, 1)
    of = Recorded(images, np.eye(COUNT, dtype=np.float32), np.arange(COUNT), 8, seed=1, epoch=2)
    shape = [keras.Input((1, 1, 1))] if built else []
    network = keras.Sequential([*shape, keras.layers.Flatten(), keras.layers.Dense(COUNT)])
    network.compile("sgd", "mse", metrics=metrics)
    network.fit(of, epochs=4, initial_epoch=2, shuffle=False, verbose=0)
    expected = [np.random.default_rng([1, epoch]).permutation(COUNT) for epoch in (2, 3)]
    assert taken[-2 * COUNT :] == np.concatenate(expected).tolist()


MEMORY = """
import sys
from pathlib import Path
import keras, numpy as np
from sidebyside.engine.training.batches import Batches
images = np.load(sys.argv[1], mmap_mode="r")
labels = np.eye(10, dtype=np.float32)[np.zeros(len(images), int)]
network = keras.Sequential([keras.Input(images.shape[1:]), keras.layers.AveragePooling2D(28),
                            keras.layers.Flatten(), keras.layers.Dense(10)])
network.compile("sgd", "mse")
def fit(count):
    if sys.argv[2] == "batches":
        network.fit(Batches(images, labels, np.arange(count), 512, 0), shuffle=False, verbose=0)
    else:
        network.fit(images[:count], labels[:count], batch_size=512, verbose=0)
fit(1024)
def private():  # without the pages of the memory map, which processes share
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("RssAnon:")[2].split()[0])
before = private()
fit(len(images))
print((private() - before) / images.nbytes)
"""


@pytest.mark.slow
@pytest.mark.parametrize("manner", ["batches", "arrays"])
def test_private_memory_holds_no_second_copy_of_the_images(tmp_path, manner):
    path = tmp_path / "images.npy"
    np.save(path, np.zeros((60_000, 28, 28, 1), np.float32))
    copied = float(subprocess.check_output([sys.executable, "-c", MEMORY, str(path), manner]))
    if manner == "batches":
        assert copied < 0.3
    else:  # what the test would say of a copy
        assert copied > 0.9
