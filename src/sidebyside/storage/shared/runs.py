"""Runs on their way from one run store to another, by way of a shared store."""

import os
from collections.abc import Iterable
from pathlib import Path

from sidebyside import paths
from sidebyside.files import move_into_place, read_json, remove
from sidebyside.storage import evaluations, store
from sidebyside.storage.evaluations import find_evaluation, load_evaluation
from sidebyside.storage.shared import lines
from sidebyside.storage.shared.bundles import Bundle, SharedStore, arriving
from sidebyside.storage.store import DamagedError

RUNS = "runs"
EVALUATIONS = "evaluations"
CHECKPOINTS = "checkpoints"
_KEPT = 2  # checkpoints, as at home
_BASIS = 16  # digits of an evaluation's basis


class SharedRuns:
    """Runs, evaluations and checkpoints in a shared store.

    What is done with a run is done by whoever holds it here (`sidebyside.storage.store.locked`).
    All methods raise a `sidebyside.storage.shared.interface.StoreError` where the store fails.
    """

    def __init__(self, shared: SharedStore) -> None:
        self.shared = shared

    def finished(self) -> set[str]:
        """Return the keys of all finished runs, by one listing."""
        return {bundle.name for bundle in self.shared.all(RUNS)}

    def evaluated(self) -> dict[str, str]:
        """Return of each run with an evaluation the first digits of its basis, by one listing."""
        names = (bundle.name.partition("-") for bundle in self.shared.all(EVALUATIONS))
        return {key: basis for key, _, basis in names}

    def lacking(self, keys: Iterable[str]) -> list[str]:
        """Return those of some finished runs that aren't there as they are here."""
        finished, evaluated = self.finished(), self.evaluated()
        return [
            key
            for key in keys
            if key not in finished or _basis(key) not in ("", evaluated.get(key))
        ]

    def push_run(self, key: str) -> bool:
        """Put the finished run of the run store there; return whether that was needed."""
        folder = paths.run(key)
        names = [*read_json(folder / store.CARD)["files"], store.CARD, store.TIMING]
        files = {name: folder / name for name in names if (folder / name).is_file()}
        return self.shared.put(RUNS, key, {**files, lines.FILE: lines.concerning(key)})

    def remove_checkpoints(self, key: str) -> None:
        """Remove the checkpoints of a run that is finished."""
        for bundle in self.shared.find(CHECKPOINTS, key):
            self.shared.remove(bundle)

    def fetch_run(self, key: str) -> bool:
        """Take a finished run into the run store; return whether it has come."""
        for bundle in self.shared.find(RUNS, key):
            with arriving() as folder:
                if not self._sound(bundle, folder, key):
                    continue
                lines.adopt(folder)
                move_into_place(folder, paths.run(key))
                remove(paths.unfinished_run(key))  # checkpoints, needed should there be no room
                return True
        return False

    def _sound(self, bundle: Bundle, folder: Path, key: str) -> bool:
        if not self.shared.get(bundle, folder):
            return False
        try:
            if store.load(folder).key == key:
                return True
        except DamagedError:
            pass
        self.shared.remove(bundle)  # whoever put it there had a damaged one
        return False

    def push_evaluation(self, key: str) -> None:
        """Put a run's evaluation there, if it isn't, in place of one by other code."""
        evaluation = find_evaluation(key)
        if evaluation is None:
            return
        folder, name = evaluation.folder, f"{key}-{evaluation.basis[:_BASIS]}"
        names = [evaluations.CARD, *(f"{array}.npy" for array in evaluations.ARRAYS)]
        files = {file: folder / file for file in names}
        if (seconds := paths.run(key) / store.INFERENCE).is_file():
            files[store.INFERENCE] = seconds
        if self.shared.put(EVALUATIONS, name, {**files, lines.FILE: lines.concerning(key)}):
            for bundle in self.shared.find(EVALUATIONS, key):
                if bundle.name != name:
                    self.shared.remove(bundle)

    def fetch_evaluation(self, key: str) -> bool:
        """Take the evaluation of a run that is here; return whether it has come."""
        for bundle in self.shared.find(EVALUATIONS, key):
            with arriving() as folder:
                if not self.shared.get(bundle, folder):
                    continue
                try:
                    if load_evaluation(folder).key != key:
                        continue
                except DamagedError:
                    continue
                lines.adopt(folder)
                if (seconds := folder / store.INFERENCE).is_file():
                    os.replace(seconds, paths.run(key) / store.INFERENCE)
                move_into_place(folder, paths.run(key) / evaluations.FOLDER)
                return True
        return False

    def push_checkpoint(self, key: str, folder: Path, epoch: int) -> None:
        """Put the checkpoint after an epoch there; remove all but the last two."""
        files = {path.name: path for path in folder.glob(f"epoch-{epoch:06d}.*")}
        name = f"{key}-{epoch:06d}"
        self.shared.put(CHECKPOINTS, name, {**files, lines.FILE: lines.concerning(key)})
        for bundle in self.shared.find(CHECKPOINTS, key)[:-_KEPT]:
            self.shared.remove(bundle)

    def fetch_checkpoints(self, key: str) -> None:
        """Take the checkpoints of an unfinished run that are newer than those here."""
        here = paths.unfinished_run(key) / store.CHECKPOINTS
        newest = max((path.stem for path in here.glob("epoch-*.json")), default="")
        for bundle in self.shared.find(CHECKPOINTS, key)[-_KEPT:]:
            if f"epoch-{bundle.name.rpartition('-')[2]}" <= newest:
                continue
            with arriving() as folder:
                if self.shared.get(bundle, folder):
                    lines.adopt(folder)
                    here.mkdir(parents=True, exist_ok=True)
                    # The card last, without which a checkpoint is one cut short.
                    for path in sorted(folder.iterdir(), reverse=True):
                        os.replace(path, here / path.name)


def _basis(key: str) -> str:
    """Return the first digits of the basis of a run's evaluation, "" where there is none."""
    try:
        basis: str = read_json(paths.run(key) / evaluations.FOLDER / evaluations.CARD)["basis"]
    except (OSError, ValueError, KeyError):
        return ""
    return basis[:_BASIS]
