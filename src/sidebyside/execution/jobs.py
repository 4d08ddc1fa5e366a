"""A run of a launch: what it is called, and everything that decides its result."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sidebyside.config.factors import Level, own_seed, variant_name
from sidebyside.config.schema import Config
from sidebyside.data.arrays import ProcessedArrays, division_digest
from sidebyside.data.prepare import prepare
from sidebyside.engine.recipe import Recipe, read_recipe
from sidebyside.engine.training.numerics import NumericClass, resolve
from sidebyside.storage import cards, keys
from sidebyside.storage.results import StudyRun

if TYPE_CHECKING:
    from sidebyside.tracking.published.contents import Card

RETRAIN_VARIABLE = "SIDEBYSIDE_RETRAIN"


@dataclass(frozen=True)
class Job:
    """One run of a launch, or one that is started alone.

    Attributes
    ----------
    config : Config
    run : StudyRun
        What a study calls it, and its run key.
    identity : dict
        Everything that decides its result, see `sidebyside.storage.keys.identity`.
    parent : str or None
        The id of the MLflow run above it; None for a run alone.
    launch : str or None
        The id of the launch that it belongs to, if it was launched yet.
    variant : str or None
        The id of the MLflow run of its variant, if there is one.
    """

    config: Config
    run: StudyRun
    identity: dict[str, Any]
    parent: str | None = None
    launch: str | None = None
    variant: str | None = None

    @property
    def card(self) -> "Card":
        """What MLflow is told about it."""
        from sidebyside.tracking.published.contents import Card

        study = self.config.study.name if self.config.study else None
        names = self.config.dataset.class_names
        return Card(self.run, self.recipe, study, self.parent, self.launch, self.variant, names)

    @property
    def recipe(self) -> Recipe:
        """What decides its result; its seed needn't be the number that the study gives the run."""
        return read_recipe(self.identity["recipe"])


def plan(
    config: Config, factors: Mapping[str, Level], arrays: ProcessedArrays | None = None
) -> Job:
    """Return the job of a config and the levels that a sweep gives it.

    Data that aren't there are downloaded and preprocessed, unless the ``arrays`` are given.

    Raises
    ------
    UserError
        Before that, if there is no GPU where one is asked for.
    """
    card = cards.card_for(config.training.device)
    arrays = arrays or prepare(config.dataset, config.data_format)
    variant, recipe = variant_name(factors), config.recipe()
    if config.study and config.study.seeds == "independent":
        recipe = replace(recipe, seed=own_seed(variant, config.seed))
    identity = full_identity(recipe, arrays, resolve(config.training.numerics), card)
    key = keys.run_key(identity)
    run = StudyRun(key, variant, dict(factors), config.seed)
    return Job(config, run, identity)


def full_identity(
    recipe: Recipe,
    arrays: ProcessedArrays,
    numerics: NumericClass,
    card: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return everything that decides the result of a recipe on a dataset's arrays.

    ``card`` is the GPU that it is trained on, None on the CPU.

    Raises
    ------
    UserError
        If the images can't be divided as the recipe's protocol wants it.
    """
    division = division_digest(arrays, recipe.protocol, recipe.seed)
    return keys.identity(recipe, arrays.digest, numerics, card, division)


def retraining() -> bool:
    """Whether finished runs are to be trained anew, to show that they come out the same."""
    return os.environ.get(RETRAIN_VARIABLE, "") not in ("", "0")
