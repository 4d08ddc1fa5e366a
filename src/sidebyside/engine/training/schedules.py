"""The course of the learning rate: schedules of Keras, told in epochs."""

import inspect
from typing import Any

import keras

from sidebyside.engine.blocks import Instance


def build_schedule(
    schedule: Instance, learning_rate: float, steps: int, epochs: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return a schedule of Keras that begins with, or warms up to, an optimizer's learning rate.

    Parameters
    ----------
    schedule : Instance
        Arguments named ``*_epochs`` become Keras' ``*_steps``; ``boundaries`` are epochs, and
        ``values`` multiples of the learning rate. Without ``decay_epochs`` it decays until the end.
    learning_rate : float
    steps : int
        Of an epoch.
    epochs : int
        Of the training.

    Raises
    ------
    AttributeError, TypeError, ValueError
        If Keras has no such schedule, or it takes no such arguments.
    """
    make = getattr(keras.optimizers.schedules, schedule.target.rpartition(".")[2])
    given: dict[str, Any] = {}
    for name, value in schedule.arguments.items():
        if name.endswith("_epochs"):
            given[f"{name.removesuffix('_epochs')}_steps"] = max(1, round(value * steps))
        elif name == "boundaries":
            given[name] = [round(epoch * steps) for epoch in value]
        elif name == "values":
            given[name] = [value * learning_rate for value in value]
        else:
            given[name] = value
    taken = inspect.signature(make).parameters
    if "decay_steps" in taken:
        given.setdefault("decay_steps", max(1, steps * epochs - given.get("warmup_steps", 0)))
    if "warmup_steps" in given:
        given |= {"initial_learning_rate": 0.0, "warmup_target": learning_rate}
    elif "initial_learning_rate" in taken:
        given["initial_learning_rate"] = learning_rate
    return make(**given)
