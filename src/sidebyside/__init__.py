"""Train neural network architectures side by side, and say which differences are real.

Importing the package imports neither TensorFlow nor pandas; each function brings what it needs
when it is first used.
"""

from importlib import import_module
from typing import Any

_PUBLIC = {
    "train": "sidebyside.execution.train",
    "evaluate": "sidebyside.execution.evaluate",
    "compare": "sidebyside.report.compare",
    "UserError": "sidebyside.errors",
}

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'sidebyside' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)
