"""A network on disk: the same network, the same bytes."""

import json
from pathlib import Path
from typing import Any

import keras

from sidebyside.engine.blocks import Instance
from sidebyside.engine.recipe import Network, read_recipe
from sidebyside.engine.training.networks import build
from sidebyside.errors import UserError

MODEL = "model.json"
WEIGHTS = "model.weights.h5"
SUMMARY = "summary.txt"
OWN = "sidebyside"  # names where a model of one's own came from


def write_network(network: keras.Model, wanted: Network, folder: Path) -> None:
    """Write architecture, weights and summary.

    A ``.keras`` file holds dates, so it would never be the same twice; these files are. Nobody
    trains on from them, so they hold nothing of the optimizer, which Keras would save too.
    Of a model of one's own they hold where it came from.
    """
    own = wanted.recipe.model
    if isinstance(own, Instance):
        keras.utils.clear_session(free_memory=False)  # by which its layers' names are the same
    bare = build(wanted)
    bare.set_weights(network.get_weights())
    bare.save_weights(folder / WEIGHTS)
    lines: list[str] = []
    bare.summary(line_length=88, print_fn=lines.append)
    (folder / SUMMARY).write_text("\n".join(lines) + "\n")
    if isinstance(own, Instance):
        origin = {"recipe": wanted.recipe.as_json(), "image_shape": list(wanted.image_shape)}
        architecture = {OWN: origin | {"classes": wanted.classes}}
    else:
        architecture = _without_addresses(json.loads(bare.to_json()))
    (folder / MODEL).write_text(json.dumps(architecture, indent=1, sort_keys=True) + "\n")


def read_network(folder: Path) -> keras.Model:
    """Return the network that `write_network` wrote, for prediction.

    The caller has verified the files' digests.

    Raises
    ------
    UserError
        If a model of one's own isn't there any more, or has become another one.
    """
    architecture = json.loads((folder / MODEL).read_text())
    if OWN not in architecture:
        network = keras.models.model_from_json(json.dumps(architecture))
        network.load_weights(folder / WEIGHTS)
        return network
    origin = architecture[OWN]
    height, width, channels = origin["image_shape"]
    recipe = read_recipe(origin["recipe"])
    network = build(Network(recipe, (height, width, channels), origin["classes"]))
    try:
        network.load_weights(folder / WEIGHTS)
    except ValueError:
        raise UserError(
            f"model={recipe.model.name} was changed since {folder.name[:12]} was trained, and its "
            "weights don't fit any more: train it again, or bring back the file it is in."
        ) from None
    return network


def _without_addresses(config: Any) -> Any:
    """Drop ``shared_object_id``, which is a memory address."""
    if isinstance(config, dict):
        kept = {key: value for key, value in config.items() if key != "shared_object_id"}
        return {key: _without_addresses(value) for key, value in kept.items()}
    if isinstance(config, list):
        return [_without_addresses(value) for value in config]
    return config
