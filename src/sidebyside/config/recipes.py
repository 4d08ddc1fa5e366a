"""A run's config, back from the recipe that its records keep."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sidebyside.config.schema import Config, Model
from sidebyside.errors import UserError

_MODEL = TypeAdapter(Model)
_OF_TRAINING = ("epochs", "batch_size", "threads")


def config_of(recipe: Mapping[str, Any], base: Config) -> Config:
    """Return the config that decided a run's result, all else taken from ``base``.

    Parameters
    ----------
    recipe : dict
        See `sidebyside.config.schema.Config.recipe`.
    base : Config
        Of the same dataset.

    Raises
    ------
    UserError
        If the run is of another dataset, or its recipe isn't one that can be trained.
    """
    if recipe["dataset"] != base.dataset.name:
        raise UserError(
            f"These runs are of dataset={recipe['dataset']}, not of {base.dataset.name}: name that "
            "with --dataset."
        )
    training = {name: recipe[name] for name in _OF_TRAINING}
    try:
        return replace(
            base,
            model=_MODEL.validate_json(json.dumps(recipe["model"])),  # strict takes no dict
            optimizer=recipe["optimizer"],
            training=replace(base.training, **training),
            data_format=recipe["data_format"],
            seed=recipe["seed"],
            protocol=recipe["protocol"],
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UserError(
            f"The recipe that a run's records keep can't be trained: its "
            f"{'.'.join(str(part) for part in first['loc'])} is {first['input']}. Train the study "
            "again."
        ) from None
