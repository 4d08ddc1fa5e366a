"""Which runs of the store were found whole, so that a launch needn't read them all again.

``runs/.verified.json`` has, by run key, sizes and times of a run's files when their content was
last held against its digests. Files that are still as they were then aren't read for that again;
whoever uses their content verifies it in any case. To delete this file does no harm.
"""

import os
from contextlib import suppress
from typing import Any

from sidebyside import paths
from sidebyside.files import read_json, write_json
from sidebyside.storage.evaluations import FOLDER as EVALUATION

FILE = ".verified.json"


class Verified:
    """The runs that were found whole, each with what its evaluation was found to be by."""

    def __init__(self) -> None:
        self._runs = str(paths.runs())
        self._known: dict[str, list[Any]] = {}
        self._changed = False
        with suppress(OSError, ValueError):
            content = read_json(paths.runs() / FILE)
            self._known = content if isinstance(content, dict) else {}

    def is_whole(self, key: str, evaluated_by: str | None) -> bool:
        """Whether a run's files are as when they were verified.

        Parameters
        ----------
        key : str
        evaluated_by : str or None
            What decides scores besides the weights; None where no evaluation is wanted.
        """
        before = self._known.get(key)
        if before is None or (evaluated_by is not None and evaluated_by != before[1]):
            return False
        return bool(before[0] == self._stamp(key))

    def note(self, key: str, evaluated_by: str | None) -> None:
        """Note that a run was verified."""
        self._known[key] = [self._stamp(key), evaluated_by]
        self._changed = True

    def save(self) -> None:
        """Write what was noted; of two that write at once one is forgotten, and verified again."""
        if self._changed:
            write_json(paths.runs() / FILE, self._known)

    def _stamp(self, key: str) -> str | None:
        """Return names, sizes and times of a run's files, None where there are none."""
        folder, parts = os.path.join(self._runs, key), []
        for place in (folder, os.path.join(folder, EVALUATION)):
            with suppress(OSError), os.scandir(place) as files:
                for file in files:
                    about = file.stat(follow_symlinks=False)
                    parts.append(f"{file.name} {about.st_size} {about.st_mtime_ns}")
        return " ".join(sorted(parts)) or None
