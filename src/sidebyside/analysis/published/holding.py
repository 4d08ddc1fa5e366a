"""Published figures held against runs of the published recipes."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from sidebyside.analysis.intervals import rounding_variance
from sidebyside.analysis.power import ALPHA
from sidebyside.analysis.published.recipes import (
    CURVES,
    TOLERANCE,
    Printed,
    Published,
    Recipe,
    Split,
)
from sidebyside.analysis.published.verdicts import FigureVerdict, judge, predictions
from sidebyside.storage.evidence import Evidence, RunEvidence
from sidebyside.storage.evidence_files import committed

FACTOR = "preset"  # a study over recipes varies this
CLEAN = "published_clean"  # the study of the same recipes under protocol clean
SPLIT = "published_split20"  # one recipe with validation images held out, and without

_PRINTED = {  # other figures that a page may print, and where ours is
    "test_loss": "test loss",
    "validation_loss": "validation loss",
    "validation_accuracy": "validation accuracy",
}


@cache
def published_table() -> dict[str, Any]:
    """Return the published recipes and figures."""
    content: dict[str, Any] = yaml.safe_load(
        (files("sidebyside.analysis.published") / "published.yaml").read_text(encoding="utf-8")
    )
    return content


def hold_against_published(evidence: Evidence) -> Published | None:
    """Return the published figures beside the runs of their recipes.

    None unless the study varies the preset, alone, and its runs follow the published protocols.
    Runs of the two companion studies come from their committed evidence.
    """
    table = published_table()
    if _varies(evidence, FACTOR):
        return None
    clean = by_preset(committed(evidence.dataset, CLEAN))
    recipes = []
    for preset, runs in by_preset(evidence).items():
        name = _recipe_of(preset)
        if name is None or {run.protocol for run in runs} != {table["recipes"][name]["protocol"]}:
            return None
        recipes.append(_recipe(name, preset, runs, clean.get(preset, []), evidence))
    if not recipes:
        return None
    recipes.sort(key=lambda recipe: list(table["recipes"]).index(recipe.name))
    images = len(evidence.target)
    least = rounding_variance(images)
    moderated = predictions([recipe.errors for recipe in recipes], least)
    recipes = [
        replace(recipe, prediction_of=estimate)
        for recipe, estimate in zip(recipes, moderated, strict=True)
    ]
    split = _split(committed(evidence.dataset, SPLIT))
    verdicts = _verdicts(recipes, least, TOLERANCE)
    stricter = _verdicts(recipes, least, TOLERANCE / 2).values()
    within = sum(own.p_within_holm is not None and own.p_within_holm < ALPHA for own in stricter)
    return Published(images, recipes, verdicts, within, split, table["left_open"])


def _verdicts(
    recipes: Sequence[Recipe], least_variance: float, tolerance: float
) -> dict[str, FigureVerdict]:
    by_name: dict[str, list[Recipe]] = {}
    for recipe in recipes:
        by_name.setdefault(recipe.name, []).append(recipe)
    verdicts = judge(
        [readings[0].published for readings in by_name.values()],
        [[reading.errors for reading in readings] for readings in by_name.values()],
        tolerance,
        least_variance,
    )
    return dict(zip(by_name, verdicts, strict=True))


def by_preset(evidence: Evidence | None) -> dict[str, list[RunEvidence]]:
    """Return the runs of each preset, none where there is no evidence or no preset is varied."""
    found: dict[str, list[RunEvidence]] = {}
    for run in evidence.runs if evidence else []:
        if FACTOR in run.factors:
            found.setdefault(str(run.factors[FACTOR]), []).append(run)
    return found


def _varies(evidence: Evidence, but: str) -> bool:
    """Whether runs differ by a factor but for one: no page's recipe is then trained as it is."""
    levels: dict[str, set[str]] = {}
    for run in evidence.runs:
        for name, level in run.factors.items():
            levels.setdefault(name, set()).add(str(level))
    return any(len(own) > 1 for name, own in levels.items() if name != but)


def _recipe_of(preset: str) -> str | None:
    table = published_table()
    for name, readings in table["readings"].items():
        if preset in readings:
            return str(name)
    return preset if preset in table["recipes"] else None


def _recipe(
    name: str,
    preset: str,
    runs: Sequence[RunEvidence],
    clean: Sequence[RunEvidence],
    evidence: Evidence,
) -> Recipe:
    table = published_table()
    page = table["recipes"][name]
    curve = page.get("learning_curve")
    return Recipe(
        name=name,
        preset=preset,
        reading=table["readings"].get(name, {}).get(preset),
        protocol=page["protocol"],
        published=page["test_error"],
        published_interval=page["test_error_95"],
        errors=[evidence.test_error(run) for run in runs],
        losses=[run.test_loss for run in runs],
        images=len(evidence.target),
        prediction_of=None,
        clean_errors=[evidence.test_error(run) for run in clean],
        printed=[
            _printed(words, page[field], [_own(field, run) for run in runs])
            for field, words in _PRINTED.items()
            if field in page
        ],
        curve=np.array([curve[epoch] for epoch in sorted(curve)]) if curve else None,
        curves=np.array([_curve(run) for run in runs]),
        same_samples={
            index: sum(int(run.predicted[index]) == label for run in runs)
            for index, label in page.get("sample_predictions", {}).items()
        },
    )


def _printed(name: str, published: float, values: list[float]) -> Printed:
    (one_more,) = predictions([values])
    return Printed(name, published, values, None if one_more is None else list(one_more.ends()))


def _own(field: str, run: RunEvidence) -> float:
    if field == "test_loss":
        return run.test_loss
    return run.history[field.replace("validation", "val")][-1]


def _curve(run: RunEvidence) -> NDArray[np.float64]:
    """Return a run's figures after each epoch, shape (epochs, 4)."""
    missing = [np.nan] * len(run.history["loss"])
    return np.array([run.history.get(name, missing) for name in CURVES]).T


def _split(evidence: Evidence | None) -> Split | None:
    if evidence is None:
        return None
    errors = {(run.protocol, run.seed): evidence.test_error(run) for run in evidence.runs}
    seeds = sorted({run.seed for run in evidence.runs})
    paired = [s for s in seeds if {("split20", s), ("train60k", s)} <= errors.keys()]
    if not paired:
        return None
    return Split(
        recipe=str(evidence.runs[0].factors[FACTOR]),
        split20=[errors["split20", seed] for seed in paired],
        train60k=[errors["train60k", seed] for seed in paired],
        images=len(evidence.target),
    )
