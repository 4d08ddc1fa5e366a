"""A stored network in the files by which MLflow loads and serves one."""

from contextlib import redirect_stdout, suppress
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec
from numpy.typing import NDArray

from sidebyside.engine.blocks import Instance
from sidebyside.engine.training import determinism
from sidebyside.errors import UserError
from sidebyside.stderr import greetings_hidden
from sidebyside.storage.keys import numeric_class
from sidebyside.storage.own_sources import check_unchanged
from sidebyside.storage.store import Run

_REQUIRED = ("keras", "tensorflow", "numpy", "mlflow")


def write_model(run: Run, image: NDArray[np.float32] | None, folder: Path) -> None:
    """Write the network of a verified run as an MLflow model of the flavor "keras".

    Signature and requirements are written from what is known: nothing is inferred by a prediction.
    A model of one's own is written as a graph, which needs none of the code that made it.

    Parameters
    ----------
    run : Run
    image : ndarray of float32, shape (1, height, width, channels) or (1, channels, height, width)
        An example of its input, None where there is none.
    folder : pathlib.Path
        Which is empty.

    Raises
    ------
    UserError
        If it is a model of one's own that isn't what it was.
    """
    check_unchanged(run.recipe.model, run.identity["sources"], run.key)
    # Whatever else this process computes is as it would be. What it did before will do as well, as
    # nothing is computed here.
    with suppress(UserError), greetings_hidden():
        determinism.fix(run.recipe.threads, numeric_class(run.identity))
    with greetings_hidden(), redirect_stdout(StringIO()):  # where Keras tells of a graph
        import mlflow.keras

        from sidebyside.engine.scoring.saved_model import read_network

        network = read_network(run.folder)
        mlflow.keras.save_model(
            network,
            str(folder),
            save_exported_model=isinstance(run.recipe.model, Instance),
            signature=_signature(network),
            input_example=image,
            pip_requirements=[f"{name}=={version(name)}" for name in _REQUIRED],
        )


def _signature(network: Any) -> ModelSignature:
    """Return the shapes of images and of probabilities, any number of them at once.

    Without names, as a network that is given one input by name has to call it so.
    """
    of_images, of_classes = network.input_shape[1:], network.output_shape[1:]
    return ModelSignature(
        Schema([TensorSpec(np.dtype("float32"), (-1, *of_images))]),
        Schema([TensorSpec(np.dtype("float32"), (-1, *of_classes))]),
    )
