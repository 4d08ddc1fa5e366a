"""TensorFlow made deterministic: the same operations in the same order, whatever else runs."""

import os

from sidebyside.engine.training.numerics import NumericClass
from sidebyside.errors import UserError
from sidebyside.stderr import greetings_hidden

_ISA = "ONEDNN_MAX_CPU_ISA"  # oneDNN reads it once, when it computes for the first time
_ISAS = {"avx512": "AVX512_CORE", "avx2": "AVX2", "native": "DEFAULT"}

_fixed: list[NumericClass] = []


def fix(threads: int, numerics: NumericClass) -> None:
    """Make TensorFlow in this process deterministic, on ``threads`` threads and the CPU.

    Raises
    ------
    UserError
        If TensorFlow has already computed something in this process with other threads or in
        another numeric class.
    """
    import tensorflow as tf

    if _fixed and _fixed != [numerics]:
        raise _too_late(f"training.numerics={numerics}", _fixed[0])
    os.environ[_ISA] = _ISAS[numerics]
    try:
        with greetings_hidden():  # it looks for a GPU's driver before it takes no for an answer
            tf.config.set_visible_devices([], "GPU")
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        raise _too_late(f"training.threads={threads}", "other threads") from None
    tf.config.experimental.enable_op_determinism()
    # It would make x / sqrt(y) of x * rsqrt(y), an approximation that processors round differently.
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
    _fixed[:] = [numerics]


def _too_late(wanted: str, before: str) -> UserError:
    return UserError(
        f"{wanted} can't be set any more: TensorFlow has already computed something in this "
        f"process with {before}. Start a fresh process."
    )
