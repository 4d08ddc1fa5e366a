"""Batches for Keras, sliced from memory-mapped arrays in an order fixed by seed and epoch."""

import math
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray


class Batches(keras.utils.PyDataset):
    """Batches of images and labels.

    The arrays stay memory maps, of which a batch is copied at a time; given to ``fit`` as arrays
    they would be copied whole into every worker.

    Parameters
    ----------
    images : ndarray of float32, shape (N, height, width, 1) or (N, 1, height, width)
    labels : ndarray of float32, shape (N, classes)
    indices : ndarray of int, shape (n,)
        Which images to use.
    batch_size : int
        Images in a batch; the last one may be smaller.
    seed : int, optional
        Of the order of the images, which is another one in each epoch. None: as in ``indices``.
    epoch : int
        The epoch to begin with, from 0.

    Notes
    -----
    Pass ``shuffle=False`` to ``fit``: Keras would otherwise shuffle the batches once more.
    """

    def __init__(
        self,
        images: NDArray[np.float32],
        labels: NDArray[np.float32],
        indices: NDArray[Any],
        batch_size: int,
        seed: int | None = None,
        epoch: int = 0,
    ) -> None:
        super().__init__(workers=1, use_multiprocessing=False)
        self._images = images
        self._labels = labels
        self._indices = indices
        self._batch_size = batch_size
        self._seed = seed
        self._next_epoch = epoch
        self._order = self._order_of(epoch)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return math.ceil(len(self._indices) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return images and labels of one batch of the current epoch."""
        start = index * self._batch_size
        chosen = self._order[start : start + self._batch_size]
        return self._images[chosen], self._labels[chosen]

    def on_epoch_begin(self) -> None:
        """Take the order of the epoch that begins."""
        # Not on_epoch_end: Keras also calls that after it has looked at a batch to build what
        # isn't built yet, so that the first epoch would be counted twice, or not.
        self._order = self._order_of(self._next_epoch)
        self._next_epoch += 1

    def _order_of(self, epoch: int) -> NDArray[Any]:
        if self._seed is None:
            return self._indices
        # By number, not by state: Keras' own shuffling repeats one order after set_random_seed,
        # and a continued run must see the orders it would have seen.
        generator = np.random.default_rng([self._seed, epoch])
        return self._indices[generator.permutation(len(self._indices))]
