"""Networks built from a checked config, and trained for one batch of real images."""

from pathlib import Path

import numpy as np

from sidebyside.config.schema import Config


def build_network(config: Config):
    """Return the untrained, compiled network of a config of mnist5k."""
    from sidebyside.engine.recipe import Network
    from sidebyside.engine.training.fit import compiled

    return compiled(Network(config.recipe(), (28, 28, 1), config.dataset.classes))


def train_one_batch(config: Config, project: Path):
    """Train a network for the first batch of mnist5k in ``project``.

    Returns
    -------
    loss : float
    changed : dict of bool
        By path of each trained variable: whether the batch changed it; where the learning rate
        warms up, the batch a second time.
    probabilities : ndarray of float32, shape (batch size, 10)
        Of the same images afterwards.
    """
    folder = project / "data" / "processed" / "mnist5k" / config.data_format
    images, labels = (
        np.load(folder / f"train_{name}.npy", mmap_mode="r")[: config.training.batch_size]
        for name in ("images", "labels")
    )
    network = build_network(config)
    before = {weight.path: weight.numpy() for weight in network.trainable_variables}
    loss, _ = network.train_on_batch(images, labels)
    schedule = config.recipe().schedule
    if schedule and "warmup_epochs" in schedule.arguments:
        network.train_on_batch(images, labels)  # as it begins with a learning rate of 0
    changed = {
        weight.path: not np.array_equal(before[weight.path], weight.numpy())
        for weight in network.trainable_variables
    }
    return float(loss), changed, network(images, training=False).numpy()
