"""TensorFlow made deterministic: the same operations in the same order, whatever else runs."""

from sidebyside.errors import UserError
from sidebyside.stderr import greetings_hidden


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
