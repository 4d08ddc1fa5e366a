"""Keras' own file of settings, which decides what networks compute and is in no config."""

import os
from pathlib import Path
from typing import Any

from sidebyside.errors import UserError
from sidebyside.files import read_json

_NEEDED = {"floatx": "float32", "epsilon": 1e-07, "image_data_format": "channels_last"}


def check_keras_settings() -> None:
    """Raise a UserError if ``keras.json`` says anything but what Keras does by itself.

    Run keys don't tell of it, and precision and layout are configured here.
    """
    folder = os.environ.get("KERAS_HOME", Path.home() / ".keras")
    path = Path(folder, "keras.json").expanduser()
    settings = _settings(path)
    for name, needed in _NEEDED.items():
        if (found := settings.get(name, needed)) != needed:
            raise UserError(
                f"{path} sets {name}={found}, which would change what networks compute: set it to "
                f"{needed} there, or name another folder by KERAS_HOME."
            )


def _settings(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path)
    except (OSError, ValueError):  # Keras passes over it too
        return {}
    return content if isinstance(content, dict) else {}
