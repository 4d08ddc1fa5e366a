"""What configs, TensorFlow and the processes started later take from the environment."""

import os

from sidebyside import paths


def set_environment() -> None:
    """Set it, before TensorFlow or MLflow is imported; what is set already stays."""
    os.environ["SIDEBYSIDE_ROOT"] = str(paths.root())
    os.environ["SIDEBYSIDE_HOME"] = str(paths.home())
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Results are promised bit for bit on a CPU; a GPU would also not survive the fork.
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    # A pickle runs what it likes when it is opened, and nothing here is kept as one.
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
