"""The run key: a digest of everything that decides a run's result."""

import hashlib
import json
import os
from functools import cache
from importlib.metadata import version
from typing import Any

from sidebyside.engine.recipe import Recipe
from sidebyside.files import source_digests

DECIDING = "engine/training"  # the folder whose source decides the bits of a trained network
_PACKAGES = ("tensorflow", "keras", "numpy")
_VECTOR_FLAGS = ("avx", "sse", "fma", "amx", "neon", "asimd", "sve")  # prefixes of CPU flags


def identity(recipe: Recipe, arrays_digest: str) -> dict[str, Any]:
    """Return everything that decides a run's result, as JSON types.

    ``arrays_digest`` is that of the processed arrays, see
    `sidebyside.data.arrays.ProcessedArrays.digest`.
    """
    return {
        "recipe": recipe.as_json(),
        "arrays": arrays_digest,
        "sources": source_digests(DECIDING),
        "environment": _environment(recipe.threads),
    }


def run_key(identity: dict[str, Any]) -> str:
    """Return the SHA-256 of an `identity`, 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _environment(threads: int) -> dict[str, Any]:
    """Return what decides the bits of a result besides config, data and code."""
    return {
        "versions": {package: version(package) for package in _PACKAGES},
        "cpu": _cpu(),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "threads": threads,
    }


@cache  # asking takes a second
def _cpu() -> dict[str, Any]:
    from cpuinfo import get_cpu_info

    info = get_cpu_info()
    flags = [flag for flag in info.get("flags", []) if flag.startswith(_VECTOR_FLAGS)]
    return {
        "model": info.get("brand_raw", "unknown"),
        "architecture": info.get("arch_string_raw", "unknown"),
        "instructions": sorted(flags),
    }


def warm_up() -> None:
    """Ask for the CPU once, in a process whose children are to know it already."""
    _cpu()
