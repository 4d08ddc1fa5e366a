"""The test images that variants disagree on most, and what each of them was taken for."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sidebyside.storage.evidence import Evidence

_DECIMALS = 12  # what is left of equal variances after rounding must not decide a tie
_PREDICTIONS = 3  # the most frequent ones are named


@dataclass(frozen=True)
class Share:
    """The runs of a variant that got an image right: ``right`` of ``n``."""

    variant: str
    right: int
    n: int


@dataclass(frozen=True)
class Entry:
    """A test image of the gallery.

    Attributes
    ----------
    index : int
        Of the test image.
    pixels : ndarray of uint8, shape (height, width)
    target : int
    predictions : list of tuple
        The most frequent predictions, each with the number of runs that made it.
    n : int
        The number of all runs.
    best, worst : Share
        The two variants furthest apart.
    disputed : bool
        Whether human raters dispute its label.
    """

    index: int
    pixels: NDArray[np.uint8]
    target: int
    predictions: list[tuple[int, int]]
    n: int
    best: Share
    worst: Share
    disputed: bool


def disagreements(
    predicted: NDArray[np.uint8], target: NDArray[np.uint8], variants: Sequence[str], count: int
) -> NDArray[np.int32]:
    """Return the test images that the variants disagree on most, the most disputed first.

    By the variance over variants of the share of a variant's runs that are right; ties by index.
    Images that all variants get equally often right aren't among them, so there may be fewer than
    ``count``, and none where there is one variant.

    Parameters
    ----------
    predicted : ndarray of uint8, shape (runs, images)
    target : ndarray of uint8, shape (images,)
    variants : sequence of str
        The variant of each run.
    count : int
        How many images at most.
    """
    of_variant: dict[str, list[int]] = {}
    for number, name in enumerate(variants):
        of_variant.setdefault(name, []).append(number)
    shares = [(predicted[own] == target).mean(axis=0) for own in of_variant.values()]
    apart = np.var(shares, axis=0).round(_DECIMALS)
    order = np.argsort(-apart, kind="stable")[:count]
    return order[apart[order] > 0].astype(np.int32)


def gallery_entries(evidence: Evidence, disputed: Collection[int] = ()) -> list[Entry]:
    """Return the images that the evidence keeps, with what the runs say of them."""
    return [
        _entry(evidence, int(index), pixels, int(index) in disputed)
        for index, pixels in zip(evidence.gallery_index, evidence.gallery, strict=True)
    ]


def _entry(evidence: Evidence, index: int, pixels: NDArray[np.uint8], disputed: bool) -> Entry:
    target = int(evidence.target[index])
    predictions = Counter(int(run.predicted[index]) for run in evidence.runs)
    ordered = sorted(predictions.items(), key=lambda item: (-item[1], item[0]))
    shares = _shares(evidence, index, target)
    return Entry(
        index=index,
        pixels=pixels,
        target=target,
        predictions=ordered[:_PREDICTIONS],
        n=len(evidence.runs),
        best=max(shares, key=lambda share: share.right / share.n),
        worst=min(shares, key=lambda share: share.right / share.n),
        disputed=disputed,
    )


def _shares(evidence: Evidence, index: int, target: int) -> list[Share]:
    by_variant: dict[str, list[bool]] = {}
    for run in evidence.runs:
        by_variant.setdefault(run.variant, []).append(int(run.predicted[index]) == target)
    return [Share(name, sum(right), len(right)) for name, right in by_variant.items()]
