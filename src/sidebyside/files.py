"""JSON files and folders that appear whole or not at all."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

DECIMALS = 6  # the last bits of a sum may differ between machines; nobody reads them


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented JSON, floats rounded to 6 decimals, in one step."""
    write_exact_json(path, each_number(content, lambda number: round(number, DECIMALS)))


def write_exact_json(path: Path, content: Any) -> None:
    """Write ``content`` as it is, in one step: for what was chosen, like a rate of 1e-07."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(json.dumps(content, indent=2) + "\n")
    os.replace(unfinished, path)


def read_json(path: Path) -> Any:
    """Return the content of a JSON file."""
    return json.loads(path.read_text())


def emptied(folder: Path) -> Path:
    """Return ``folder``, made anew and empty; a symbolic link in its place is removed."""
    _remove(folder)
    folder.mkdir(parents=True)
    return folder


def without_links(folder: Path) -> Path:
    """Return ``folder``, made if it isn't there, its symbolic links removed.

    So nothing that is written to it goes elsewhere.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.is_symlink():
            path.unlink()
    return folder


def move_into_place(unfinished: Path, folder: Path) -> None:
    """Flush a folder's files to disk and give the folder its name in one step."""
    for path in sorted(unfinished.rglob("*")):
        if path.is_file():
            _flush(path)
    _flush(unfinished)
    _remove(folder)
    os.replace(unfinished, folder)
    _flush(folder.parent)


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def each_number(content: Any, change: Callable[[float], float]) -> Any:
    """Return JSON types with each of their floats changed."""
    if isinstance(content, float):
        return change(content)
    if isinstance(content, dict):
        return {key: each_number(value, change) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [each_number(value, change) for value in content]
    return content
