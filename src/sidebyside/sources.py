"""Digests of the package's own folders, by which results know the code that made them."""

import hashlib
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent


@cache  # as imported: an edit during a long sweep changes nothing that is already running
def source_digests(folder: str) -> dict[str, str]:
    """Return the SHA-256 of each module in a folder of the package, and below it.

    Parameters
    ----------
    folder : str
        For instance "engine/training", of which the result begins
        ``{"engine/training/batches.py": "9f...", ...}``.
    """
    return {
        path.relative_to(_PACKAGE).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((_PACKAGE / folder).rglob("*.py"))
    }
