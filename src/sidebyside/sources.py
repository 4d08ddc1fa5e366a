"""Digests of the package's own modules, by which results know the code that made them."""

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path


def source_digests(modules: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of each module's source, e.g. ``{"networks.py": "9f..."}``."""
    return {f"{module}.py": _source_digest(module) for module in modules}


@cache  # as imported: an edit during a long sweep changes nothing that is already running
def _source_digest(module: str) -> str:
    return hashlib.sha256(Path(__file__).with_name(f"{module}.py").read_bytes()).hexdigest()
