"""Arrays that somebody counts on for a while: nobody exchanges them for others meanwhile.

A dataset's arrays have one place in each data format, whatever ``dataset.normalisation`` is for
instance. ``data/processed/<dataset>/.<data format>.used/`` has a file for each process that counts
on them, locked as long as the process lives.
"""

import fcntl
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from sidebyside import paths
from sidebyside.errors import UserError

_SHOWN = 40  # characters of a setting
_own: dict[Path, Mapping[str, Any]] = {}  # of this process, which would let go of a file it reads


def locked(dataset: str, data_format: str) -> FileLock:
    """Hold the place of the arrays: a sweep and a stage of DVC's may need them at the same time."""
    folder = paths.processed(dataset, data_format)
    folder.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(folder.with_name(f".{data_format}.lock"))


@contextmanager
def counted_on(
    dataset: str, data_format: str, made_from: Mapping[str, str], by: str
) -> Iterator[None]:
    """Let nobody put other arrays in the place of those that are ``made_from`` something.

    They needn't be there yet. ``by`` says who counts on them, e.g. "study=factorial on
    dataset=mnist5k".

    Raises
    ------
    UserError
        If another process counts on other ones.
    """
    path = _folder(dataset, data_format) / uuid.uuid4().hex
    with ExitStack() as stack:
        # Where this process can't write, it can't exchange anything either.
        with suppress(OSError), locked(dataset, data_format):
            check_free(dataset, data_format, made_from)
            _write(path, {"made": _said(made_from), "by": by, "process": os.getpid()}, stack)
        yield


def check_free(dataset: str, data_format: str, made_from: Mapping[str, str]) -> None:
    """Raise a UserError if a process counts on other arrays than those ``made_from`` something.

    Other by what the config says; code that has changed since makes the same ones as a rule. The
    caller holds the place, see `locked`.
    """
    wanted = _said(made_from)
    for path in sorted(_folder(dataset, data_format).glob("*")):
        if (other := _counting(path)) is None or other["made"] == wanted:
            continue
        made = other["made"]
        key = next(own for own in {**wanted, **made} if wanted.get(own) != made.get(own))
        raise UserError(
            f"The data of {dataset} in {data_format} are in use with {key}={_short(made.get(key))} "
            f"by the launch of {other['by']} (process {other['process']}), and those with "
            f"{key}={_short(wanted.get(key))} would take their place: wait until it has ended, or "
            f"copy conf/dataset/{dataset}.yaml under another name and choose that."
        )


def _write(path: Path, content: Mapping[str, Any], stack: ExitStack) -> None:
    """Write a file that is locked, and there, until the stack unwinds."""
    path.parent.mkdir(exist_ok=True)
    stream = stack.enter_context(path.open("w"))
    stack.callback(_own.pop, path, None)
    stack.callback(path.unlink, missing_ok=True)
    fcntl.flock(stream, fcntl.LOCK_EX)
    stream.write(json.dumps(content))
    stream.flush()
    _own[path] = content


def _counting(path: Path) -> Mapping[str, Any] | None:
    """Return what a file says, None if its process is gone, whose file goes too."""
    if path in _own:
        return _own[path]
    with suppress(OSError, ValueError), path.open() as stream:  # it may end in this moment
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            content: dict[str, Any] = json.load(stream)
            return content
        path.unlink(missing_ok=True)
    return None


def _said(made_from: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in made_from.items() if not name.endswith(".py")}


def _folder(dataset: str, data_format: str) -> Path:
    return paths.processed(dataset, data_format).with_name(f".{data_format}.used")


def _short(value: str | None) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
