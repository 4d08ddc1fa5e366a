"""Whether the layers of an augmentation do here what they are meant for, tried on some images."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sidebyside.config.schema import Config
from sidebyside.engine.recipe import Augmentation, DataFormat, Network
from sidebyside.engine.training.augmentation import build_augmentation
from sidebyside.errors import UserError
from sidebyside.execution.preflight.reasons import reason

_IMAGES = 8
_ALIKE = 1e-4  # by which values differ at most that are computed in another order
_RANGE = [0, 1]  # of pixels that are scaled

_Images = NDArray[np.float32]  # in channels_last


def check_augmentation(config: Config) -> None:
    """Change some images by each layer of a config's augmentation.

    Raises
    ------
    UserError
        If Keras refuses a layer, or one takes pixels for others than they are, changes the images'
        size or their labels, can't be repeated, or is for the other data format.
    """
    for layer in config.augmentation.layers:
        tried = _Tried(layer, config)
        tried.check_range()
        try:
            tried.check_changes()
        except UserError:
            raise
        except Exception as error:  # whatever Keras makes of a value that it doesn't know
            raise tried.refused(
                f"can't change images of {_size(config.dataset.shape)} ({reason(error)}): change "
                "it under conf/augmentation/ or on the command line"
            ) from None


@dataclass(frozen=True)
class _Tried:
    """A layer of a config's augmentation, as that names it."""

    layer: Mapping[str, Any]
    config: Config

    def refused(self, why: str) -> UserError:
        name = self.config.augmentation.name
        return UserError(f"augmentation={name}: {self.layer['_target_']} {why}.")

    def check_range(self) -> None:
        """Raise a UserError if it takes pixels for other ones, of which Keras says nothing."""
        make, normalisation = self._make(), self.config.dataset.normalisation
        if make is None or "value_range" not in inspect.signature(make).parameters:
            return
        if normalisation != "scale":
            raise self.refused(
                "needs the range of pixels (value_range), and with dataset.normalisation="
                f"{normalisation} they have none: choose dataset.normalisation=scale, or leave it "
                "out"
            )
        if self.layer.get("value_range") != _RANGE:
            found = "names no value_range, and Keras' own is another than that of pixels here"
            if "value_range" in self.layer:
                found = f"has value_range: {self.layer['value_range']}, which pixels here haven't"
            raise self.refused(f"{found}: set value_range: {_RANGE}")

    def check_changes(self) -> None:
        """Raise a UserError if what it makes of images won't do."""
        images = _some_images(self.config.dataset.shape)
        change = self._change(self.config.data_format)
        changed = change(images)
        if changed.shape != images.shape:
            raise self.refused(
                f"makes images of {_size(changed.shape[1:])} of those of {_size(images.shape[1:])}"
                ", which the network takes: let it keep their size, or leave it out"
            )
        if self._changes_labels(images):
            raise self.refused(
                "changes labels with the images, and labels stay as they are here: leave it out"
            )
        if not _alike(self._change(self.config.data_format, seed=1)(images), changed):
            raise self.refused(
                "draws numbers that the run's seed doesn't decide, so that nobody could repeat a "
                "run: leave it out"
            )
        if not self._is_for_any_format() and not _alike(self._usual()(images), changed):
            raise self.refused(
                f"doesn't do to images in data_format={self.config.data_format} what it does to "
                "others: choose data_format=channels_last and give the layer none of its own, or "
                "leave it out"
            )

    def _changes_labels(self, images: _Images) -> bool:
        """Whether images become some of another class, as those of MixUp."""
        make = self._make()
        if not hasattr(make, "transform_labels"):  # as Dropout and the like
            return False
        given = {name: value for name, value in self.layer.items() if name != "_target_"}
        layer, labels = make(**given, seed=0), np.eye(_IMAGES, dtype=np.float32)
        drawn = layer.get_random_transformation(tf.constant(images), training=True)
        return not np.array_equal(layer.transform_labels(labels, drawn, training=True), labels)

    def _make(self) -> Any:
        return getattr(keras.layers, self.layer["_target_"].rpartition(".")[2], None)

    def _is_for_any_format(self) -> bool:
        """Whether nothing speaks for it that it might take the channels for rows or columns."""
        usual = self.config.data_format == "channels_last" and "data_format" not in self.layer
        return usual or not hasattr(self._make(), "transform_images")

    def _usual(self) -> Callable[[_Images], _Images]:
        """Return what changes images as Keras does by itself."""
        layer = {name: value for name, value in self.layer.items() if name != "data_format"}
        return _Tried(layer, self.config)._change("channels_last")

    def _change(self, data_format: DataFormat, seed: int = 0) -> Callable[[_Images], _Images]:
        """Return a function that changes images as in training, the same way in each call.

        ``seed`` is of what a run's own one doesn't decide.
        """
        one = Augmentation(self.config.augmentation.name, [dict(self.layer)])
        recipe = replace(self.config.recipe(), augmentation=one, data_format=data_format)
        network = Network(recipe, self.config.dataset.shape, self.config.dataset.classes)
        keras.utils.set_random_seed(seed)
        augmenter, at = build_augmentation(recipe), network.channel_axis
        batch = tf.TensorSpec([None, *network.input_shape], tf.float32)
        graph = tf.function(augmenter, input_signature=[batch], autograph=False)

        def change(images: _Images) -> _Images:
            augmenter.reseed(0, 0)
            return np.moveaxis(graph(np.moveaxis(images, -1, at)).numpy(), at, -1)

        return change


def _some_images(shape: tuple[int, int, int]) -> _Images:
    """Return images whose rows, columns and channels differ."""
    height, width, channels = shape
    generator = np.random.default_rng(0)
    drawn = [
        generator.random((_IMAGES, *side), np.float32)
        for side in ((height, 1, 1), (1, width, 1), (1, 1, channels), shape)
    ]
    images: _Images = np.prod(np.broadcast_arrays(*drawn), axis=0) ** 0.25
    return images


def _alike(images: _Images, others: _Images) -> bool:
    return bool(np.abs(images - others).max() <= _ALIKE)


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
