"""TensorFlow made deterministic: the same operations in the same order, whatever else runs."""

import os
from typing import Any

from sidebyside.engine.training.gpus import Device
from sidebyside.engine.training.numerics import NumericClass
from sidebyside.errors import UserError
from sidebyside.stderr import greetings_hidden

_ISA = "ONEDNN_MAX_CPU_ISA"  # oneDNN reads it once, when it computes for the first time
_ISAS = {"avx512": "AVX512_CORE", "avx2": "AVX2", "native": "DEFAULT"}

_fixed: list[tuple[NumericClass, Device]] = []


def fix(threads: int, numerics: NumericClass, device: Device = "cpu") -> None:
    """Make TensorFlow in this process deterministic, on ``threads`` threads of the CPU.

    With ``device`` "gpu" it computes on the first GPU that this process sees, else on none.

    Raises
    ------
    UserError
        If TensorFlow has already computed something in this process with other threads, in
        another numeric class or on another device, or if it finds no GPU to compute on.
    """
    import tensorflow as tf

    if _fixed and _fixed[0][0] != numerics:
        raise _too_late(f"training.numerics={numerics}", _fixed[0][0])
    if _fixed and _fixed[0][1] != device:
        raise _too_late(f"training.device={device}", f"training.device={_fixed[0][1]}")
    os.environ[_ISA] = _ISAS[numerics]
    try:
        with greetings_hidden():  # it looks for a GPU's driver before it takes no for an answer
            cards = _cards() if device == "gpu" else []
            tf.config.set_visible_devices(cards, "GPU")
        for card in cards:
            tf.config.experimental.set_memory_growth(card, True)
            # It would round the factors of products to 10 bits, and call them float32.
            tf.config.experimental.enable_tensor_float_32_execution(False)
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        raise _too_late(f"training.threads={threads}", "other threads") from None
    tf.config.experimental.enable_op_determinism()
    # It would make x / sqrt(y) of x * rsqrt(y), an approximation that processors round differently.
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
    _fixed[:] = [(numerics, device)]


def _cards() -> list[Any]:
    """Return the first GPU that this process sees; the others are other processes'."""
    import tensorflow as tf

    if cards := tf.config.list_physical_devices("GPU"):
        return list(cards[:1])
    raise no_gpu()


def no_gpu() -> UserError:
    """Return what to say where there is no GPU."""
    return UserError(
        "training.device=gpu won't do: TensorFlow finds no GPU here. Choose training.device=cpu, "
        "or see docs/gpu.md for what it needs."
    )


def _too_late(wanted: str, before: str) -> UserError:
    return UserError(
        f"{wanted} can't be set any more: TensorFlow has already computed something in this "
        f"process with {before}. Start a fresh process."
    )
