"""JSON files and folders that appear whole or not at all."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

DECIMALS = 6  # the last bits of a sum may differ between machines; nobody reads them


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented JSON, floats rounded to 6 decimals, in one step."""
    write_exact_json(path, _rounded(content))


def write_exact_json(path: Path, content: Any) -> None:
    """Write ``content`` as it is, in one step: for what was chosen, like a rate of 1e-07."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(json.dumps(content, indent=2) + "\n")
    os.replace(unfinished, path)


def read_json(path: Path) -> Any:
    """Return the content of a JSON file."""
    return json.loads(path.read_text())


def move_into_place(unfinished: Path, folder: Path) -> None:
    """Flush a folder's files to disk and give the folder its name in one step."""
    for path in sorted(unfinished.rglob("*")):
        if path.is_file():
            _flush(path)
    _flush(unfinished)
    if folder.exists():
        shutil.rmtree(folder)
    os.replace(unfinished, folder)
    _flush(folder.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _rounded(content: Any) -> Any:
    if isinstance(content, float):
        return round(content, DECIMALS)
    if isinstance(content, dict):
        return {key: _rounded(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_rounded(value) for value in content]
    return content
