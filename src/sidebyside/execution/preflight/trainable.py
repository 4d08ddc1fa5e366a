"""What only TensorFlow itself can say about a config, asked before a sweep starts."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from sidebyside.config.protocols import training_size
from sidebyside.config.schema import Config
from sidebyside.engine.blocks import Conv, Convolution, Dense, Dropout, Flatten, Instance, Pool
from sidebyside.engine.recipe import Network
from sidebyside.engine.training import determinism
from sidebyside.engine.training.fit import compiled
from sidebyside.engine.training.numerics import resolve
from sidebyside.errors import UserError
from sidebyside.execution.preflight.augmentation import check_augmentation
from sidebyside.execution.preflight.own_models import check_own
from sidebyside.execution.preflight.reasons import reason

_USUAL = Conv | Pool | Dropout | Flatten | Dense


def check_trainable(configs: Sequence[Config]) -> None:
    """Build every distinct network of ``configs``; try each optimizer and each augmentation.

    Networks that may not train here are trained on a batch. All are for one device.

    Raises
    ------
    UserError
        If Keras refuses a network, an optimizer, a schedule or an augmentation, this build of
        TensorFlow can't train a network, or a model of one's own doesn't give the same bits again.
    """
    training = configs[0].training
    determinism.fix(training.threads, resolve(training.numerics), training.device)
    networks, optimizers = _networks(configs), _optimizers(configs)
    for config in {id(own): own for own in [*networks, *optimizers]}.values():
        network = _compiled(config)
        if any(config is own for own in optimizers):
            _take_a_step(network, config)
    for config in _augmentations(configs):
        check_augmentation(config)
    for config in networks:
        if isinstance(config.model, Instance):
            check_own(_network(config))
        elif _may_not_train(config):
            _train_a_batch(config)


def _networks(configs: Sequence[Config]) -> list[Config]:
    return list({repr((c.dataset.name, c.model, c.data_format)): c for c in configs}.values())


def _optimizers(configs: Sequence[Config]) -> list[Config]:
    return list(
        {
            repr((c.optimizer, c.schedule, c.training.precision, c.training.ema)): c
            for c in configs
        }.values()
    )


def _augmentations(configs: Sequence[Config]) -> list[Config]:
    return list(
        {repr((c.dataset.name, c.augmentation, c.data_format)): c for c in configs}.values()
    )


def _compiled(config: Config) -> keras.Model:
    try:
        return compiled(_network(config))
    except UserError:
        raise
    except SystemExit as end:  # as of a script whose arguments aren't those that it knows
        raise UserError(
            f"model={config.model.name} can't be built: the module of its _target_ ends Python "
            f"(exit code {end.code}). Put what it does as a script under "
            "`if __name__ == '__main__':`."
        ) from None
    except Exception as error:  # whatever Keras makes of a value that it doesn't know
        raise UserError(
            f"Keras refuses model={config.model.name} with optimizer={config.optimizer['name']} "
            f"and schedule={config.schedule.name}: {reason(error)}. Change them under conf/ or on "
            "the command line."
        ) from None


def _take_a_step(network: keras.Model, config: Config) -> None:
    """Let an optimizer change weights once, which reads arguments that it took as they were."""
    weights = network.trainable_variables
    try:
        network.optimizer.apply([keras.ops.ones_like(own) for own in weights], weights)
    except Exception as error:
        raise UserError(
            f"Keras can't train with optimizer={config.optimizer['name']} and schedule="
            f"{config.schedule.name}: {reason(error)}. Change them under conf/ or on the command "
            "line."
        ) from None


def _network(config: Config) -> Network:
    images = training_size(config.protocol, config.dataset.size)
    steps = -(-images // config.training.batch_size)
    return Network(config.recipe(), config.dataset.shape, config.dataset.classes, steps)


def _may_not_train(config: Config) -> bool:
    """Whether TensorFlow has operations for a network on some machines and not on others."""
    assert not isinstance(config.model, Instance)
    blocks = config.model.blocks
    if config.training.device == "gpu":  # some operations have no deterministic kernel there
        return True
    if config.data_format == "channels_first" and any(isinstance(b, Convolution) for b in blocks):
        return True
    return not all(isinstance(block, _USUAL) for block in blocks)


def _train_a_batch(config: Config) -> None:
    import tensorflow as tf

    network = compiled(_network(config))
    images = np.zeros((2, *network.input_shape[1:]), np.float32)
    labels = np.eye(config.dataset.classes, dtype=np.float32)[:2]
    refusals: Any = (tf.errors.UnimplementedError, tf.errors.InvalidArgumentError)
    if config.training.device == "gpu":
        refusals = tf.errors.OpError  # cuDNN that isn't found is another one
    try:
        network.train_on_batch(images, labels)
    except refusals as error:
        raise _refusal(config, reason(error)) from None


def _refusal(config: Config, reason: str) -> UserError:
    """Return what to say of a network that TensorFlow can't train here."""
    assert not isinstance(config.model, Instance)
    asked = f"model={config.model.name} can't be trained with data_format={config.data_format}"
    if config.training.device == "gpu":
        return UserError(
            f"{asked} on this GPU: {reason}. Choose training.device=cpu, or other blocks."
        )
    if all(isinstance(block, _USUAL) for block in config.model.blocks):
        return UserError(
            "data_format=channels_first can't be trained by this TensorFlow: its convolutions "
            "need oneDNN on a CPU. Unset TF_ENABLE_ONEDNN_OPTS, use an x86 machine, or choose "
            "data_format=channels_last."
        )
    return UserError(
        f"{asked} by this TensorFlow: {reason}. Choose data_format=channels_last, or other blocks."
    )
