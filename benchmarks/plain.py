"""What a tutorial does: plain Keras with MLflow's autologging, one network after another.

It is what benchmarks/performance.py holds sidebyside against, by Hydra's own launchers too:

python benchmarks/plain.py arrays=$PWD/data/processed/mnist5k tracking=sqlite:////tmp/plain.db
"""

import os
from pathlib import Path

os.environ.update({"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"})
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"  # no channels_first without it on older processors

import hydra
import numpy as np
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig


def train(config: DictConfig) -> float:
    """Train one network as conv_pair is, log all that autologging logs, return its test error."""
    import keras
    import mlflow

    keras.utils.set_random_seed(config.seed)
    folder = Path(config.arrays) / config.data_format

    def read(name: str) -> np.ndarray:
        return np.load(folder / f"{name}.npy")

    training, validation = read("clean_training"), read("clean_validation")
    images, labels = read("train_images"), read("train_labels")
    layout = {"data_format": config.data_format}
    layers = [
        keras.Input(images.shape[1:]),
        keras.layers.Conv2D(32, config.kernel_size, activation="relu", **layout),
        keras.layers.Conv2D(64, config.kernel_size, activation="relu", **layout),
        keras.layers.MaxPooling2D(2, **layout),
        *([keras.layers.Dropout(0.25)] if config.dropout else []),
        keras.layers.Flatten(**layout),
        keras.layers.Dense(128, activation="relu"),
        *([keras.layers.Dropout(0.5)] if config.dropout else []),
        keras.layers.Dense(10, activation="softmax"),
    ]
    network = keras.Sequential(layers)
    rate = 0.001 if config.optimizer == "adam" else 1.0
    named = {"class_name": config.optimizer, "config": {"learning_rate": rate}}
    network.compile(keras.optimizers.get(named), "categorical_crossentropy", metrics=["accuracy"])
    mlflow.set_tracking_uri(config.tracking)
    mlflow.set_experiment("plain")
    mlflow.keras.autolog()
    with mlflow.start_run():
        mlflow.log_params({str(name): level for name, level in config.items()})
        network.fit(
            images[training],
            labels[training],
            batch_size=128,
            epochs=config.epochs,
            validation_data=(images[validation], labels[validation]),
            verbose=0,
        )
        _, accuracy = network.evaluate(read("test_images"), read("test_labels"), verbose=0)
        mlflow.log_metric("test_error", 100 * (1 - accuracy))
    return 100 * (1 - accuracy)


@hydra.main(config_path=None, config_name="plain", version_base="1.3")
def main(config: DictConfig) -> float:
    """Train one network."""
    return train(config)


ConfigStore.instance().store(
    name="plain",
    node={
        "arrays": "???",
        "tracking": "???",
        "kernel_size": 3,
        "dropout": True,
        "optimizer": "adam",
        "data_format": "channels_last",
        "seed": 0,
        "epochs": 3,
    },
)
if __name__ == "__main__":
    main()
