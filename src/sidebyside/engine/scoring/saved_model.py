"""A network on disk: the same network, the same bytes."""

import json
from pathlib import Path
from typing import Any

import keras

MODEL = "model.json"
WEIGHTS = "model.weights.h5"
SUMMARY = "summary.txt"


def write_network(network: keras.Sequential, folder: Path) -> None:
    """Write architecture, weights and summary.

    A ``.keras`` file holds dates, so it would never be the same twice; these files are. Nobody
    trains on from them, so they hold nothing of the optimizer, which Keras would save too.
    """
    bare = keras.models.clone_model(network)
    bare.set_weights(network.get_weights())
    architecture = _without_addresses(json.loads(bare.to_json()))
    (folder / MODEL).write_text(json.dumps(architecture, indent=1, sort_keys=True) + "\n")
    bare.save_weights(folder / WEIGHTS)
    lines: list[str] = []
    network.summary(line_length=88, print_fn=lines.append)
    (folder / SUMMARY).write_text("\n".join(lines) + "\n")


def read_network(folder: Path) -> keras.Sequential:
    """Return the network that `write_network` wrote, for prediction.

    The caller has verified the files' digests.
    """
    network = keras.models.model_from_json((folder / MODEL).read_text())
    network.load_weights(folder / WEIGHTS)
    return network


def _without_addresses(config: Any) -> Any:
    """Drop ``shared_object_id``, which is a memory address."""
    if isinstance(config, dict):
        kept = {key: value for key, value in config.items() if key != "shared_object_id"}
        return {key: _without_addresses(value) for key, value in kept.items()}
    if isinstance(config, list):
        return [_without_addresses(value) for value in config]
    return config
