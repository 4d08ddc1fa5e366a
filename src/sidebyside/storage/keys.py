"""The run key: a digest of everything that decides a run's result."""

import hashlib
import json
from typing import Any

from sidebyside.config.schema import Config
from sidebyside.data.arrays import ProcessedArrays
from sidebyside.engine.training import determinism
from sidebyside.sources import source_digests

DECIDING = "engine/training"  # the folder whose source decides the bits of a trained network


def identity(config: Config, arrays: ProcessedArrays) -> dict[str, Any]:
    """Return everything that decides a run's result, as JSON types."""
    return {
        "recipe": config.recipe(),
        "arrays": arrays.digest,
        "sources": source_digests(DECIDING),
        "environment": determinism.describe(config.training.threads),
    }


def run_key(identity: dict[str, Any]) -> str:
    """Return the SHA-256 of an `identity`, 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
