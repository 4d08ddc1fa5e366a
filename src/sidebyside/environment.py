"""What configs, TensorFlow and the processes started later take from the environment."""

import os
import platform

from sidebyside import paths

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"  # what TensorFlow has it switched by
GPUS = "SIDEBYSIDE_GPUS"  # what CUDA_VISIBLE_DEVICES was, as GPUs are hidden by it

_ALL = "all"
_OURS = ("SIDEBYSIDE_", "DVC_ROOT")  # names that begin so say where everything lives

# What changes bits and is in no run's key: XLA, weights that oneDNN takes for constant (and then
# computes with the first ones), and float32 that oneDNN rounds in numeric class native.
_IN_NO_KEY = (
    "TF_XLA_FLAGS",
    "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS",
    "TF_SET_ONEDNN_FPMATH_MODE",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "DNNL_DEFAULT_FPMATH_MODE",
)

_given: list[str] = []  # the GPU of this process


def set_environment() -> None:
    """Set it, before TensorFlow or MLflow is imported; what is set already stays, or is dropped."""
    os.environ["SIDEBYSIDE_ROOT"] = str(paths.root())
    os.environ["SIDEBYSIDE_HOME"] = str(paths.home())
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever it is for other projects
    drop_what_no_key_has()
    # By itself TensorFlow does so on processors with VNNI, AMX or the like alone. Others of the
    # same numeric class would give other bits, and none at all for channels_first.
    if is_x86():
        os.environ.setdefault(ONEDNN, "1")
    # A GPU is used where it is asked for alone, in a process that isn't forked.
    os.environ.setdefault(GPUS, os.environ.get("CUDA_VISIBLE_DEVICES", _ALL))
    if not _given:
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    # A pickle runs what it likes when it is opened, and nothing here is kept as one.
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"


def drop_what_no_key_has() -> None:
    """Unset what would change a run's bits unseen, before TensorFlow computes anything."""
    for name in _IN_NO_KEY:
        os.environ.pop(name, None)


def is_x86() -> bool:
    """Whether this machine has TensorFlow's oneDNN."""
    return platform.machine().lower() in ("x86_64", "amd64")


def onednn() -> str:
    """Return how oneDNN is switched, "default" for on where `set_environment` does that."""
    chosen = os.environ.get(ONEDNN, "default")
    return "default" if chosen == "1" and is_x86() else chosen


def ours() -> dict[str, str]:
    """Return the variables by which a process finds root, home and the like."""
    return {name: value for name, value in os.environ.items() if name.startswith(_OURS)}


def adopt(variables: dict[str, str]) -> None:
    """Set what `ours` returned in another process, and none besides."""
    for name in ours().keys() - variables.keys():
        del os.environ[name]
    os.environ.update(variables)


def gpus_chosen() -> str | None:
    """Return which GPUs there are to choose from, as CUDA names them; None is all."""
    chosen = os.environ.get(GPUS, _ALL)
    return None if chosen == _ALL else chosen


def give_gpu(name: str) -> None:
    """Let this process see one GPU, before TensorFlow has looked for any."""
    os.environ["CUDA_VISIBLE_DEVICES"] = name
    _given[:] = [name]


def has_gpu() -> bool:
    """Whether this process was given a GPU, which it needn't use."""
    return bool(_given)
