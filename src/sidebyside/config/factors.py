"""What a sweep varies: factors, levels and the names of variants."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

Level = bool | int | float | str | None

# What picks a run's place in the replicate, and what doesn't change a result.
REPLICATE = "seed"
_TAKEN = (  # what tables, MLflow and runs.csv have columns of their own for
    *("seed", "run", "variant", "protocol", "parameters", "state", "seconds", "n"),
    *("model", "dataset"),
)
NOT_FACTORS = ("study", "evaluate", "allow_partial", "tracking", "store", "select", "ask_above")


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Return what to call each override key: its last part where that is unique.

    ``model.kernel_size`` is "kernel_size"; two keys with the same last part keep their paths,
    with underscores, and so does one whose last part is a run's own, as ``model.seed``.
    """
    last = [key.rpartition(".")[2] for key in keys]
    return {
        key: name if last.count(name) == 1 and name not in _TAKEN else key.replace(".", "_")
        for key, name in zip(keys, last, strict=True)
    }


def as_level(value: Any) -> Level:
    """Return a swept value as a level: what isn't a plain value becomes text."""
    return value if isinstance(value, Level) else str(value)


def own_seed(variant: str, number: int) -> int:
    """Return the seed of a variant's run of this number, which no other variant shares."""
    digest = hashlib.sha256(f"{variant} {number}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def variant_name(factors: Mapping[str, Level]) -> str:
    """Return e.g. "kernel_size=3,dropout=true"."""
    return ",".join(f"{name}={level_text(level)}" for name, level in factors.items())


def level_text(level: Level) -> str:
    """Return a level as it is written in YAML and on the command line."""
    return level if isinstance(level, str) else json.dumps(level)
