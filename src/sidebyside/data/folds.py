"""The folds of cross-validation: which training images a run trains on, and which test it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside.config.protocols import FOLDS
from sidebyside.errors import UserError

Indices = NDArray[np.int32]


def divide_by_seed(protocol: str, labels: NDArray[Any], seed: int) -> tuple[Indices, Indices]:
    """Return which of the training images train a run, and which are held out and test it.

    A repetition divides all images anew, stratified: as many of each class in each fold, give or
    take one, and as many images. With k folds, seed s is fold s mod k of repetition s div k. So k
    seeds in a row test each image once, and the runs of all variants with one seed share a
    division (Bouckaert & Frank 2004, "Evaluating the replicability of significance tests for
    comparing learning algorithms": repeated k-fold cross-validation).

    Parameters
    ----------
    protocol : str
        One of `sidebyside.config.protocols.FOLDS`.
    labels : ndarray of int, shape (N,)
        The classes of the training images.
    seed : int
        Of the run.

    Returns
    -------
    training, held_out : ndarray of int32
        Ascending indices.

    Raises
    ------
    UserError
        If a class has fewer images than there are folds.
    """
    folds = FOLDS[protocol]
    _check_classes(protocol, folds, labels)
    repetition, own = divmod(seed, folds)
    # Shuffled, then sorted by class and dealt out like cards: neighbours go to different folds.
    shuffled = np.random.default_rng([folds, repetition]).permutation(len(labels))
    dealt = shuffled[np.argsort(labels[shuffled], kind="stable")]
    held_out = np.zeros(len(labels), bool)
    held_out[dealt[own::folds]] = True
    return np.flatnonzero(~held_out).astype(np.int32), np.flatnonzero(held_out).astype(np.int32)


def _check_classes(protocol: str, folds: int, labels: NDArray[Any]) -> None:
    counts = np.bincount(labels)
    fewest = int(counts.argmin())
    if counts[fewest] < folds:
        raise UserError(
            f"protocol={protocol} needs {folds} training images of each class, one for each fold, "
            f"and class {fewest} has {counts[fewest]}: choose a protocol with fewer folds, or add "
            "images."
        )
