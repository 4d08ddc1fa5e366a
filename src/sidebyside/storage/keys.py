"""The run key: a digest of everything that decides a run's result."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

from sidebyside.engine.recipe import Recipe, read_recipe
from sidebyside.engine.training.gpus import Device
from sidebyside.engine.training.numerics import NumericClass, resolve, same_on_all
from sidebyside.environment import has_gpu, onednn
from sidebyside.errors import UserError
from sidebyside.files import source_digests
from sidebyside.storage.own_sources import own_sources

DECIDING = "engine/training"  # the folder whose source decides the bits of a trained network
_PACKAGES = ("tensorflow", "keras", "numpy")
_VECTOR_FLAGS = ("avx", "sse", "fma", "amx", "neon", "asimd", "sve")  # prefixes of CPU flags


def identity(
    recipe: Recipe,
    arrays_digest: str,
    numerics: NumericClass,
    card: Mapping[str, Any] | None = None,
    division: str | None = None,
) -> dict[str, Any]:
    """Return everything that decides a run's result, as JSON types.

    ``arrays_digest`` is that of the processed arrays, see
    `sidebyside.data.arrays.ProcessedArrays.digest`. ``card`` is the GPU that it is trained on, see
    `sidebyside.engine.training.gpus.found`; None on the CPU. ``division`` is the digest of the
    images that train it where it isn't one of the arrays, see
    `sidebyside.data.arrays.division_digest`.
    """
    divided = {} if division is None else {"division": division}
    return divided | {
        "recipe": recipe.as_json(),
        "arrays": arrays_digest,
        "sources": source_digests(DECIDING) | own_sources(recipe.model),
        "environment": environment(recipe, numerics, card),
    }


def environment(
    recipe: Recipe, numerics: NumericClass, card: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what decides a run's result besides recipe, data and code; see `identity`."""
    found: dict[str, Any] = {
        "versions": {package: _version(package) for package in _PACKAGES},
        "numerics": numerics,
        "onednn": onednn(),
        "threads": recipe.threads,
    }
    if card is not None:
        found["gpu"] = dict(card)
    # Nobody has compared a card in two machines.
    if card is not None or not same_on_all(recipe, numerics):
        found["cpu"] = processor()
    return found


@cache  # as imported; looking it up takes a millisecond
def _version(package: str) -> str:
    return version(package)


def task(identity: Mapping[str, Any]) -> str:
    """Return what an `identity` says but for code and environment."""
    divided = f", {identity['division']} of them" if "division" in identity else ""
    return f"{read_recipe(identity['recipe'])} on {identity['arrays']}{divided}"


def run_key(identity: dict[str, Any]) -> str:
    """Return the SHA-256 of an `identity`, 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def process(identity: dict[str, Any]) -> str:
    """Return what runs have in common that can be trained in one process."""
    return json.dumps(identity["environment"])


def numeric_class(identity: dict[str, Any]) -> NumericClass:
    """Return the numeric class of a run that was trained, or else the best one of this machine."""
    try:
        return resolve(identity["environment"]["numerics"])
    except (KeyError, UserError):  # of before there were any, or of another machine
        return resolve("auto")


def on_gpu(identity: Mapping[str, Any]) -> bool:
    """Whether a run was trained on a GPU."""
    return "gpu" in identity.get("environment", {})


def device(identity: Mapping[str, Any]) -> Device:
    """Return where to compute with a run's network: as in training if this process has a GPU."""
    return "gpu" if on_gpu(identity) and has_gpu() else "cpu"


@cache  # asking takes a second
def processor() -> dict[str, Any]:
    """Return what this machine's processor is called and which vector instructions it has."""
    from cpuinfo import get_cpu_info

    info = get_cpu_info()
    flags = [flag for flag in info.get("flags", []) if flag.startswith(_VECTOR_FLAGS)]
    return {
        "model": info.get("brand_raw", "unknown"),
        "architecture": info.get("arch_string_raw", "unknown"),
        "instructions": sorted(flags),
    }
