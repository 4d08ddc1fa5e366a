"""The run key: a digest of everything that decides a run's result."""

import hashlib
import json
from typing import Any

from sidebyside import numeric
from sidebyside.arrays import ProcessedArrays
from sidebyside.schema import Config
from sidebyside.sources import source_digests

# The modules whose source decides the bits of a trained network. Not schema: what it fills in is
# part of the recipe.
DECIDING = ("fitting", "batches", "networks", "shapes", "protocols", "numeric")


def identity(config: Config, arrays: ProcessedArrays) -> dict[str, Any]:
    """Return everything that decides a run's result, as JSON types."""
    return {
        "recipe": config.recipe(),
        "arrays": arrays.digest,
        "sources": source_digests(DECIDING),
        "environment": numeric.describe(config.training.threads),
    }


def run_key(identity: dict[str, Any]) -> str:
    """Return the SHA-256 of an `identity`, 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
