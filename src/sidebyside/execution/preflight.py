"""What only TensorFlow itself can say about a config, asked before a sweep starts."""

from collections.abc import Sequence

import numpy as np

from sidebyside.config.schema import Config
from sidebyside.engine.recipe import Conv, Network
from sidebyside.engine.training import determinism
from sidebyside.engine.training.fit import compiled
from sidebyside.engine.training.numerics import resolve
from sidebyside.errors import UserError


def check_trainable(configs: Sequence[Config]) -> None:
    """Build every distinct network of ``configs``; train a batch of one in channels_first.

    Raises
    ------
    UserError
        If Keras refuses a network or an optimizer, or this build of TensorFlow can't train
        channels_first convolutions.
    """
    determinism.fix(configs[0].training.threads, resolve(configs[0].training.numerics))
    for config in _distinct(configs):
        try:
            compiled(_network(config))
        except UserError:
            raise
        except Exception as error:  # whatever Keras makes of a value that it doesn't know
            raise UserError(
                f"Keras refuses model={config.model.name} with optimizer="
                f"{config.optimizer['name']}: {_first_line(error)}. Change them under conf/ or on "
                "the command line."
            ) from None
    for config in configs:
        convolves = any(isinstance(block, Conv) for block in config.model.blocks)
        if convolves and config.data_format == "channels_first":
            _train_a_batch(config)
            return


def _distinct(configs: Sequence[Config]) -> list[Config]:
    """Return configs that have each network and each optimizer among them."""
    networks = {repr((c.dataset.name, c.model, c.data_format)): c for c in configs}
    optimizers = {repr((c.optimizer, c.training.precision)): c for c in configs}
    return [*networks.values(), *optimizers.values()]


def _network(config: Config) -> Network:
    height, width = config.dataset.image_shape
    return Network(config.recipe(), (height, width), config.dataset.classes)


def _train_a_batch(config: Config) -> None:
    import tensorflow as tf

    network = compiled(_network(config))
    images = np.zeros((2, *network.input_shape[1:]), np.float32)
    labels = np.eye(config.dataset.classes, dtype=np.float32)[:2]
    try:
        network.train_on_batch(images, labels)
    except (tf.errors.UnimplementedError, tf.errors.InvalidArgumentError):
        raise UserError(
            "data_format=channels_first can't be trained by this TensorFlow: its convolutions "
            "need oneDNN on a CPU. Unset TF_ENABLE_ONEDNN_OPTS, use an x86 machine, or choose "
            "data_format=channels_last."
        ) from None


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__
