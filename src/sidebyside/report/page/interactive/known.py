"""What a page's charts and its comparison of two variants are made from, as JSON.

Of images only those are kept on which the variants shown here differ: how many runs of each got
one right, and what most of its other runs took it for, a byte each.
"""

import base64
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside.report.gallery import disagreements
from sidebyside.report.page.content import Page
from sidebyside.report.text.numbers import p_value, spelled
from sidebyside.storage.evidence import Evidence, RunEvidence

_MOST_IMAGES = 1500  # that variants differ on: two bytes each for each variant
_MOST_COUNTED = 254  # runs, in a byte; 255 stands for no mistake
_DECIMALS = 6
_KEY = 12  # digits of a run key, as commands show and take it


def known(page: Page) -> dict[str, Any]:
    """Return all that the page's script needs to know."""
    return {
        "variants": [row | {"quoted": shlex.quote(row["key"])} for row in variant_rows(page)],
        "runs": run_rows(page),
        "pairs": [_pair(page, pair) for pair in page.content["pairs"]],
        "twins": _twins(page),
        "images": _images(page) if page.evidence.folds == 1 else None,
        "command": f"sidebyside compare --study {shlex.quote(page.evidence.study)} "
        f"--dataset {shlex.quote(page.evidence.dataset)}",
    }


def variant_rows(page: Page) -> list[dict[str, Any]]:
    """Return the variants that are shown: number, name, levels, mean and intervals."""
    return [
        {
            "number": page.numbers[own["name"]],
            "name": spelled(own["name"]),
            "key": own["name"],
            "levels": page.levels.of[own["name"]],
            "n": own["n"],
            "parameters": own["parameters"],
            "mean": _rounded(page.value(own)["mean"]),
            "seeds": _ends(page.value(own)),
            "together": _ends(own["seeds_and_images"]),
        }
        for own in page.variants
    ]


def run_rows(page: Page) -> list[dict[str, Any]]:
    """Return the runs of the variants that are shown: number, seed, value and run key."""
    return [
        {
            "number": page.numbers[own["name"]],
            "seed": run.seed,
            "value": _rounded(page.evidence.value(run)),
            "run": run.key[:_KEY],
        }
        for own in page.variants
        for run in page.evidence.of_variant(own["name"])
    ]


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(float(number), _DECIMALS)


def _ends(ends: Mapping[str, Any] | None) -> list[float] | None:
    if ends is None or ends["low"] is None or ends["high"] is None:
        return None
    return [round(ends["low"], _DECIMALS), round(ends["high"], _DECIMALS)]


def _pair(page: Page, pair: Mapping[str, Any]) -> dict[str, Any]:
    scale = page.scale
    return {
        "a": page.numbers[pair["a"]],
        "b": page.numbers[pair["b"]],
        "mean": _rounded(pair["difference"]["mean"]),
        "seeds": _ends(pair["difference"]),
        "together": _ends(pair["seeds_and_images"]),
        "words": f"{page.in_words(pair)}.",
        "rows": [
            [scale.differences, scale.signed(pair["difference"]["mean"])],
            ["95 %, new seeds and images", scale.signed_ends(pair["seeds_and_images"])],
            ["95 % over seeds", scale.signed_ends(pair["difference"])],
            ["n seeds", str(pair["n"])],
            ["p (Holm)", p_value(pair["p_holm"])],
            ["verdict", pair["verdict"]],
        ],
    }


def _twins(page: Page) -> list[list[int]]:
    """Return the numbers of variants that are the same bit for bit, in groups."""
    groups = page.content["identical"]
    return [[page.numbers[name] for name in group] for group in groups]


def _images(page: Page) -> dict[str, Any] | None:
    """Return the test images on which variants differ; None where there are none."""
    evidence = page.evidence
    names = [own["name"] for own in page.variants]
    runs = [run for name in names for run in evidence.of_variant(name)]
    index = disagreements(
        np.stack([run.predicted for run in runs]),
        evidence.target,
        [run.variant for run in runs],
        _MOST_IMAGES,
    )
    if not len(index) or any(len(evidence.of_variant(name)) > _MOST_COUNTED for name in names):
        return None
    return {
        "index": index.tolist(),
        "target": [page.called(int(label)) for label in evidence.target[index]],
        "classes": [page.called(label) for label in range(_classes(evidence))],
        "all": len(index) < _MOST_IMAGES,
        "of": {page.numbers[name]: _of_variant(evidence, name, index) for name in names},
    }


def _classes(evidence: Evidence) -> int:
    return 1 + max(int(evidence.target.max()), *(int(run.predicted.max()) for run in evidence.runs))


def _of_variant(evidence: Evidence, name: str, index: NDArray[np.int32]) -> dict[str, Any]:
    runs, target = evidence.of_variant(name), evidence.target[index]
    predicted = np.stack([run.predicted[index] for run in runs])
    right = (predicted == target).sum(axis=0).astype(np.uint8)
    return {
        "n": len(runs),
        "right": _base64(right),
        "mistaken": _base64(_mistaken(predicted, target)),
    }


def _mistaken(predicted: NDArray[np.uint8], target: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what most wrong runs took each image for, the lowest class of equals; 255 for none."""
    classes = int(predicted.max()) + 1
    counts = np.stack([(predicted == label).sum(axis=0) for label in range(classes)])
    counts[target[target < classes], np.flatnonzero(target < classes)] = 0
    return np.where(counts.any(axis=0), counts.argmax(axis=0), 255).astype(np.uint8)


def _base64(values: NDArray[np.uint8]) -> str:
    return base64.b64encode(values.tobytes()).decode()


def curve_rows(page: Page, runs: Sequence[RunEvidence]) -> list[dict[str, Any]]:
    """Return the errors after each epoch of runs, as a row with lists each."""
    rows = []
    for run in runs:
        errors = {
            images: [_rounded(100 * (1 - value)) for value in run.history[figure]]
            for images, figure in (("validation", "val_accuracy"), ("training", "accuracy"))
            if run.history.get(figure)
        }
        if errors:
            epochs = min(map(len, errors.values()))
            rows.append(
                {
                    "number": page.numbers[run.variant],
                    "seed": run.seed,
                    "run": run.key[:_KEY],
                    "epoch": list(range(1, epochs + 1)),
                }
                | errors
            )
    return rows
