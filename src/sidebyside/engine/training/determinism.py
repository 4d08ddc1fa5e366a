"""The numeric environment: what decides the bits of a result besides config, data and code."""

import os
from functools import cache
from importlib.metadata import version
from typing import Any

from sidebyside.errors import UserError
from sidebyside.stderr import greetings_hidden

_PACKAGES = ("tensorflow", "keras", "numpy")
_VECTOR_FLAGS = ("avx", "sse", "fma", "amx", "neon", "asimd", "sve")  # prefixes of CPU flags


def describe(threads: int) -> dict[str, Any]:
    """Return the environment in which ``threads`` threads would train, as JSON types."""
    return {
        "versions": {package: version(package) for package in _PACKAGES},
        "cpu": _cpu(),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "threads": threads,
    }


@cache  # asking takes a second
def _cpu() -> dict[str, Any]:
    from cpuinfo import get_cpu_info

    found = get_cpu_info()
    flags = [flag for flag in found.get("flags", []) if flag.startswith(_VECTOR_FLAGS)]
    return {
        "model": found.get("brand_raw", "unknown"),
        "architecture": found.get("arch_string_raw", "unknown"),
        "instructions": sorted(flags),
    }


def warm_up() -> None:
    """Ask for the CPU once, in a process whose children are to know it already."""
    _cpu()


def fix(threads: int) -> None:
    """Make TensorFlow in this process deterministic, on ``threads`` threads and the CPU.

    Raises
    ------
    UserError
        If TensorFlow has already computed something in this process with other threads.
    """
    import tensorflow as tf

    try:
        with greetings_hidden():  # it looks for a GPU's driver before it takes no for an answer
            tf.config.set_visible_devices([], "GPU")
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        raise UserError(
            f"training.threads={threads} can't be set any more: TensorFlow has already computed "
            "something in this process with other threads. Start a fresh process."
        ) from None
    tf.config.experimental.enable_op_determinism()
