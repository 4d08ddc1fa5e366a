"""Models of one's own: a function or a class that returns a Keras model."""

import inspect
import pkgutil
import sys
from collections.abc import Callable
from typing import Any

import keras

from sidebyside import paths
from sidebyside.engine.blocks import Instance
from sidebyside.engine.recipe import Network
from sidebyside.errors import UserError


def build_own(wanted: Network, instance: Instance) -> keras.Model:
    """Return the model that a config's ``_target_`` makes, with its variables.

    It is called with ``input_shape``, ``classes`` and ``data_format``, as far as it names them, and
    with the config's other arguments.

    Raises
    ------
    UserError
        If there is no such function, it takes no such arguments, or what it returns isn't a model
        from images to a probability for each class.
    """
    data_format = wanted.recipe.data_format
    make = _located(instance)
    offered = {
        "input_shape": wanted.input_shape,
        "classes": wanted.classes,
        "data_format": data_format,
    }
    named = _parameters(make)
    if data_format == "channels_first" and "data_format" not in named:
        raise UserError(
            f"model={instance.name} can't be built for data_format=channels_first: "
            f"{instance.target} takes no argument data_format. Choose channels_last."
        )
    given = {name: value for name, value in offered.items() if name in named}
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(wanted.recipe.precision)
    try:
        model = make(**given, **instance.arguments)
        return _built(model, wanted, instance)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"model={instance.name} can't be built: {instance.target} says "
            f"{type(error).__name__}: {_first_line(error)}. Its arguments are "
            f"{', '.join([*given, *instance.arguments])}."
        ) from None
    finally:
        keras.config.set_dtype_policy(before)


def _located(instance: Instance) -> Callable[..., Any]:
    root = str(paths.root())
    if root not in sys.path:
        sys.path.insert(0, root)
    try:
        make = pkgutil.resolve_name(instance.target)
    except Exception as error:  # an import runs the user's code
        raise UserError(
            f"model={instance.name}: there is no {instance.target} ({type(error).__name__}: "
            f"{_first_line(error)}). _target_ is <module>.<function>, and the module a file beside "
            f"conf/ ({root}) or an installed package."
        ) from None
    if not callable(make):
        raise UserError(
            f"model={instance.name}: {instance.target} is no function and no class: name one that "
            "returns a keras.Model."
        )
    return make


def _parameters(make: Callable[..., Any]) -> set[str]:
    try:
        return set(inspect.signature(make).parameters)
    except (TypeError, ValueError):
        return set()


def _built(model: Any, wanted: Network, instance: Instance) -> keras.Model:
    if not isinstance(model, keras.Model):
        raise UserError(
            f"model={instance.name}: {instance.target} returns {type(model).__name__}, no "
            "keras.Model."
        )
    output = model(keras.Input(wanted.input_shape))
    shape = getattr(output, "shape", None)
    if shape != (None, wanted.classes):
        raise UserError(
            f"model={instance.name}: {instance.target} makes {shape} of images of "
            f"{wanted.input_shape}, where (None, {wanted.classes}) is needed: a probability for "
            "each class, from softmax."
        )
    return model


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__
