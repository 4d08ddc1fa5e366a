"""The same work for many variants, on all cores."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")

_FEW = 50  # items that aren't worth the threads


def each(work: Callable[[A], B], items: Sequence[A]) -> list[B]:
    """Return what ``work`` makes of each item, in their order.

    In threads: resampling and sums over images, most of the work, don't hold Python's lock. What
    comes out doesn't depend on their number, as each item's random numbers are its own.
    """
    if len(items) < _FEW:
        return [work(item) for item in items]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(work, items))
