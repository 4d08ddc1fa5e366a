"""Numeric classes: processors that give a run the same bits."""

from typing import Literal, get_args

import numpy as np

from sidebyside.engine.recipe import BatchNorm, Conv, Recipe
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

    Batch normalisation takes TensorFlow's ``Rsqrt``, an approximation that processors round
    differently. Without AVX-512, oneDNN computes a channels_first convolution by a matrix product
    that it cuts into blocks by the size of the cache. No two processors were compared in
    mixed_bfloat16. See docs/numerics.md.
    """
    types = {type(block) for block in recipe.model.blocks}
    blocked = numerics == "avx2" and recipe.data_format == "channels_first" and Conv in types
    alike = recipe.precision == "float32" and BatchNorm not in types and not blocked
    return numerics != "native" and alike


def _available(numerics: NumericClass) -> bool:
    found = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    return numerics == "native" or bool(_NEEDED[numerics] & set(found))
