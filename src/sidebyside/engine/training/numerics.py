"""Numeric classes: processors that give a run the same bits."""

from typing import Literal, get_args

import numpy as np

from sidebyside.engine.blocks import AnyBlock, Conv, Dense, Dropout, Flatten, Instance, Pool
from sidebyside.engine.recipe import Recipe
from sidebyside.errors import UserError

NumericClass = Literal["avx512", "avx2", "native"]
CLASSES: tuple[NumericClass, ...] = get_args(NumericClass)

# What NumPy calls the instructions that a class needs, from 2.4 on and before.
_NEEDED = {"avx512": {"X86_V4", "AVX512_SKX"}, "avx2": {"X86_V3", "AVX2"}}


def resolve(numerics: str) -> NumericClass:
    """Return a numeric class by name, for "auto" the best one of this machine.

    "native" is whatever a machine does by itself: its bits are those of its own kind alone.

    Raises
    ------
    UserError
        If this machine lacks the instructions of the class.
    """
    here = [name for name in CLASSES if _available(name)]
    if numerics == "auto":
        return here[0]
    for name in here:
        if name == numerics:
            return name
    raise UserError(
        f"training.numerics={numerics} won't do: this machine has {' and '.join(here)}. Choose one "
        "of these, or auto."
    )


def same_on_all(recipe: Recipe, numerics: NumericClass) -> bool:
    """Whether every processor of a class gives a run the same bits.

    Normalisations take TensorFlow's ``Rsqrt``, an approximation that processors round differently.
    Without AVX-512, oneDNN computes a channels_first convolution by a matrix product that it cuts
    into blocks by the size of the cache. Two processors were compared for the blocks and choices
    named here alone. See docs/numerics.md.
    """
    model = recipe.model
    chosen = recipe.schedule, recipe.augmentation, recipe.ema
    if isinstance(model, Instance) or any(choice is not None for choice in chosen):
        return False
    convolves = any(isinstance(block, Conv) for block in model.blocks)
    blocked = numerics == "avx2" and recipe.data_format == "channels_first" and convolves
    alike = recipe.precision == "float32" and all(map(_compared, model.blocks))
    return numerics != "native" and alike and not blocked


def _compared(block: AnyBlock) -> bool:
    if isinstance(block, Conv):
        return block.strides == block.dilation == 1 and not block.l2
    if isinstance(block, Dense):
        return not block.l2
    return isinstance(block, Pool | Dropout | Flatten)


def _available(numerics: NumericClass) -> bool:
    found = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    return numerics == "native" or bool(_NEEDED[numerics] & set(found))
