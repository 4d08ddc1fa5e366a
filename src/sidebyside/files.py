"""JSON files, digests, and folders that appear whole or not at all."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parent


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented JSON, in one step."""
    with written_at_once(path) as unfinished:
        unfinished.write_text(json.dumps(content, indent=2) + "\n")


@contextmanager
def written_at_once(path: Path) -> Iterator[Path]:
    """Give a path to write, and put the file in the place of ``path``; where that fails, nothing.

    So a kill leaves the file that is there, and a disk that is full nothing beside it.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield unfinished
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8, whatever the locale; where that fails, the file stays as it is."""
    with written_at_once(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def free_space(folder: Path) -> int:
    """Return how many bytes are free where a folder is, or is to be."""
    there = next(own for own in (folder, *folder.absolute().parents) if own.is_dir())
    return shutil.disk_usage(there).free


def read_json(path: Path) -> Any:
    """Return the content of a JSON file."""
    return json.loads(path.read_text())


def each_number(content: Any, change: Callable[[float], float]) -> Any:
    """Return JSON types with each of their floats changed."""
    if isinstance(content, float):
        return change(content)
    if isinstance(content, dict):
        return {key: each_number(value, change) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [each_number(value, change) for value in content]
    return content


def file_digest(path: Path) -> str | None:
    """Return the SHA-256 of a file's content, None where there is no file."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache  # as imported: an edit during a long sweep changes nothing that is already running
def source_digests(folder: str) -> dict[str, str]:
    """Return the SHA-256 of each module in a folder of the package, and below it.

    Parameters
    ----------
    folder : str
        For instance "engine/training", of which the result begins
        ``{"engine/training/fit.py": "9f...", ...}``.
    """
    return {
        path.relative_to(_PACKAGE).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((_PACKAGE / folder).rglob("*.py"))
        if not path.name.startswith(".")  # as an editor's lock, or what macOS keeps of a file
    }


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """Give an empty folder to fill, and put it in the place of ``folder`` when that is done.

    A symbolic link in its place is removed, not followed. Whoever has it filled by two processes
    at once keeps them apart by a lock.
    """
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    remove(unfinished)
    unfinished.mkdir(parents=True)
    yield unfinished
    move_into_place(unfinished, folder)


def move_into_place(unfinished: Path, folder: Path) -> None:
    """Flush a folder's files to disk and give the folder its name in one step.

    What is in its place is removed after that: it takes seconds of a large one, and whoever is
    stopped meanwhile has all of the new one.
    """
    for path in sorted(unfinished.rglob("*")):
        if path.is_file():
            _flush(path)
    _flush(unfinished)
    before = folder.with_name(f".{folder.name}.before")
    remove(before)  # left by a kill
    if os.path.lexists(folder):
        try:
            os.replace(folder, before)
        except OSError:  # of a container's image, whose folders can be removed and not renamed
            remove(folder)
    os.replace(unfinished, folder)
    _flush(folder.parent)
    remove(before)


def without_links(folder: Path) -> Path:
    """Return ``folder``, made if it isn't there, its symbolic links removed.

    So nothing that is written to it goes elsewhere.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.is_symlink():
            path.unlink()
    return folder


def remove(path: Path) -> None:
    """Remove a folder or a file, if it is there; of a symbolic link only the link."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
