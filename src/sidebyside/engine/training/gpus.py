"""GPUs: what there is of them, and what of one decides bits."""

import ctypes
from collections.abc import Iterator
from importlib.metadata import distributions
from typing import Any, Literal, get_args

Device = Literal["cpu", "gpu"]
DEVICES: tuple[Device, ...] = get_args(Device)

_COMPUTING = ("nvidia-cublas", "nvidia-cuda", "nvidia-cudnn")  # how names of packages begin


def found() -> list[dict[str, Any]]:
    """Describe each GPU that TensorFlow finds in this process, as JSON types.

    Name and compute capability of the card, the version of CUDA that TensorFlow is built for, that
    of cuDNN as it is loaded, and of NVIDIA's libraries where they are Python packages.
    """
    import tensorflow as tf

    cards = tf.config.list_physical_devices("GPU")
    if not cards:
        return []
    build = tf.sysconfig.get_build_info()
    libraries = {
        "cuda": build.get("cuda_version", "unknown"),
        "cudnn": _cudnn(str(build.get("cudnn_version", "unknown"))),
        "packages": dict(sorted(_packages())),
    }
    described = [tf.config.experimental.get_device_details(card) for card in cards]
    return [
        {
            "name": details.get("device_name", "unknown"),
            "compute_capability": ".".join(map(str, details.get("compute_capability", ()))),
        }
        | libraries
        for details in described
    ]


def _cudnn(built_for: str) -> str:
    """Return the version of the library that TensorFlow has loaded."""
    try:
        library = ctypes.CDLL(f"libcudnn.so.{built_for.partition('.')[0]}")
    except OSError:
        return built_for
    return str(library.cudnnGetVersion())


def _packages() -> Iterator[tuple[str, str]]:
    for package in distributions():
        if package.name.startswith(_COMPUTING):
            yield package.name, package.version
