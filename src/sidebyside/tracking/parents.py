"""Runs in MLflow that have others under them: a launch, a study, its variants."""

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Param, RunStatus, RunTag
from mlflow.entities import Run as MlflowRun
from mlflow.exceptions import MlflowException

from sidebyside.tracking.experiment import Experiment
from sidebyside.tracking.liveness import process_tags
from sidebyside.tracking.missing import changed_metrics, changed_params, missing_params
from sidebyside.tracking.published.contents import PARENT, RUN_NAME, Card, dataset_input
from sidebyside.tracking.reachable import speaks_http

_MOST_METRICS = 800  # of the 1000 entities that MLflow takes at once
_RECIPE = "mlflow.recipe"  # a tag, hidden in the UI: a digest of what all runs of a variant share
_OF_STUDY = {PARENT, "study"}  # tags by which a run is one of a study
_SETTLES_WITHIN = 0.5  # seconds from a look for a run to its being made, at a quick server


class Parents(Experiment):
    """Writes launches, studies and variants to an experiment."""

    def open_parent(self, name: str, tags: dict[str, str], reopen: bool) -> str:
        """Return the id of a RUNNING parent run.

        Parameters
        ----------
        name : str
            What the UI shows.
        tags : dict of str
            Say what the parent is.
        reopen : bool
            Take the run with these tags if there is one, as a study does.
        """
        with self._lock():
            known = self._the_only(tags) if reopen else None
            if known is not None:
                self._start(known, {})
                return str(known.info.run_id)
            made = self._create(tags | {RUN_NAME: name}, tags, settle=reopen)
            return str(made.info.run_id)

    def open_study(self, study: str, dataset: str) -> str:
        """Return the id of a study's RUNNING parent run, the one of before if there is one."""
        tags = {"study": study, "dataset": dataset, "level": "parent"}
        return self.open_parent(f"{study} on {dataset}", tags, reopen=True)

    def open_variants(self, parent: str, cards: Iterable[Card]) -> dict[str, MlflowRun]:
        """Return the runs of variants, by variant, making those that a parent run lacks.

        One request looks for all of them and one more makes each; a second look tells whether
        another process has made some at the same time. A run of a variant that was trained by
        another recipe then, as with more epochs, gives way: what it says can't be changed.

        Parameters
        ----------
        parent : str
            The id of the MLflow run above them.
        cards : iterable of Card
            Of runs of these variants.
        """
        wanted: dict[str, Card] = {}
        for card in cards:
            wanted.setdefault(card.run.variant, card)
        with self._lock():
            known = self.variants(parent)
            for name in wanted.keys() & known.keys():
                if _is_of_another_recipe(known[name], wanted[name]):
                    self._retire(known.pop(name))
            began, missing = time.monotonic(), wanted.keys() - known.keys()
            for name in (name for name in wanted if name in missing):
                card = wanted[name]
                tags = card.variant_tags(self.labels) | {_RECIPE: _recipe(card)} | process_tags()
                self._patience.ask(self._client.create_run, self._experiment_id, tags=tags)
            if missing:
                self._settle((time.monotonic() - began) / len(missing))
                known = self.variants(parent)
        return {name: known[name] for name in wanted}

    def _retire(self, variant: MlflowRun) -> None:
        """Take the run of a variant, and those below it, out of their study.

        It isn't removed, as another launch may be writing to it.
        """
        for run in self._search({PARENT: variant.info.run_id}):
            self._take_out(run, _OF_STUDY)
        self._take_out(variant, {*_OF_STUDY, "level", "dataset"})

    def supersede(self, variant: MlflowRun, cards: Sequence[Card]) -> None:
        """Take runs out of a variant's study whose seeds were trained again.

        By other code, packages or data, that is, so that they have other keys and the same recipe.

        Parameters
        ----------
        variant : mlflow.entities.Run
        cards : sequence of Card
            Of the runs that take their place.
        """
        keys = {card.run.key for card in cards}
        seeds = {str(card.run.seed) for card in cards}
        for run in self._search({PARENT: variant.info.run_id}):
            if run.data.params.get("seed") in seeds and run.data.tags.get("run_key") not in keys:
                self._take_out(run, _OF_STUDY)

    def _take_out(self, run: MlflowRun, tags: Set[str]) -> None:
        for tag in tags & run.data.tags.keys():
            self._patience.ask(self._client.delete_tag, run.info.run_id, tag)

    def variants(self, parent: str) -> dict[str, MlflowRun]:
        """Return the runs of all variants under a parent run, by variant."""
        found = self._search({"level": "variant", PARENT: parent})
        by_name: dict[str, MlflowRun] = {}
        for run in found:
            if by_name.setdefault(run.data.tags["variant"], run) is not run:
                self._remove(run)
        return by_name

    def complete(
        self,
        known: MlflowRun,
        figures: Mapping[str, float],
        params: Mapping[str, str],
        tags: Mapping[str, str],
        status: str = "FINISHED",
    ) -> None:
        """Log what the run of a variant or a study lacks, and end it; nothing is logged twice."""
        other = {name: text for name, text in tags.items() if known.data.tags.get(name) != text}
        self._log(known, changed_metrics(known, figures), missing_params(known, params), other)
        if known.info.status != status:
            self.finish(str(known.info.run_id), status)

    def finish(self, run_id: str, status: str) -> None:
        """End a run with an MLflow status: "FINISHED", "FAILED" or "KILLED"."""
        self._patience.ask(self._client.set_terminated, run_id, status)

    def tag(self, run_id: str, tags: dict[str, str]) -> None:
        """Set tags of a run."""
        entities = [RunTag(name, value) for name, value in tags.items()]
        self._patience.ask(self._client.log_batch, run_id, tags=entities)

    @contextmanager
    def finishing(self, run_id: str) -> Iterator[None]:
        """End a run with what is done meanwhile: FINISHED, or KILLED where that is broken off."""
        status = "KILLED"
        try:
            yield
            status = "FINISHED"
        finally:
            self.finish(run_id, status)

    def run(self, run_id: str) -> MlflowRun:
        """Return what MLflow knows of a run."""
        return self._patience.ask(self._client.get_run, run_id)

    def log_file(self, run_id: str, path: Path, folder: str | None = None) -> None:
        """Add a file to a run's artifacts, to one of their folders if given."""
        self._patience.ask(self._client.log_artifact, run_id, str(path), folder)

    def log_files(self, run_id: str, source: Path, folder: str) -> None:
        """Add all files of a folder to a folder of a run's artifacts."""
        self._patience.ask(self._client.log_artifacts, run_id, str(source), folder)

    def _create(
        self, tags: dict[str, str], identity: dict[str, str], settle: bool = False
    ) -> MlflowRun:
        """Make a RUNNING run and return the only one with the tags that identify it.

        That may be another one, made at the same time on another machine. With ``settle``, all who
        make it at once see all of theirs before they go on, so that each goes on with the one that
        stays: nobody finds its run removed later.
        """
        began = time.monotonic()
        ask, tags = self._patience.ask, tags | process_tags()
        made = ask(self._client.create_run, self._experiment_id, tags=tags)
        if settle:
            self._settle(time.monotonic() - began)
        return self._the_only(identity) or made

    def _settle(self, took: float) -> None:
        """Wait until others that make a run at the same time have made theirs; one took seconds."""
        if speaks_http(self.uri):
            time.sleep(max(_SETTLES_WITHIN, 3 * took))

    def _the_only(self, tags: dict[str, str]) -> MlflowRun | None:
        """Return the oldest run with these tags and remove others; None where there is none.

        A lock keeps processes of this machine apart; a server has none to offer. Nobody ever
        removes the oldest, and who makes a run looks afterwards: so of many there stays one.
        """
        found = self._search(tags)
        for other in found[1:]:
            self._remove(other)
        return found[0] if found else None

    def _remove(self, run: MlflowRun) -> None:
        with suppress(MlflowException):  # another machine has removed it
            self._patience.ask(self._client.delete_run, run.info.run_id)

    def _start(self, known: MlflowRun, tags: dict[str, str]) -> None:
        running = RunStatus.to_string(RunStatus.RUNNING)
        if known.info.status != running:
            self._patience.ask(self._client.update_run, known.info.run_id, status=running)
        self._log(known, tags=tags | process_tags())

    def _log(
        self,
        run: MlflowRun,
        metrics: Sequence[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log all of this, in one request where MLflow takes so much at once."""
        more_params = [Param(name, value) for name, value in (params or {}).items()]
        more_tags = [RunTag(name, value) for name, value in (tags or {}).items()]
        ask, run_id = self._patience.ask, run.info.run_id
        while metrics or more_params or more_tags:
            ask(self._client.log_batch, run_id, metrics[:_MOST_METRICS], more_params, more_tags)
            metrics, more_params, more_tags = metrics[_MOST_METRICS:], [], []

    def log_dataset(self, known: MlflowRun, identity: Mapping[str, Any]) -> None:
        """Name the dataset that a run with an identity was trained on, unless that is done."""
        if known.inputs is not None and known.inputs.dataset_inputs:
            return
        # Two that log the same new dataset at once break its uniqueness; a server is asked again.
        with nullcontext() if speaks_http(self.uri) else self._lock():
            ask, inputs = self._patience.ask, [dataset_input(identity)]
            ask(self._client.log_inputs, known.info.run_id, inputs)


def _recipe(card: Card) -> str:
    """Return a digest of all that decides a variant's results but the seed."""
    recipe = {name: own for name, own in card.recipe.as_json().items() if name != "seed"}
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()


def _is_of_another_recipe(known: MlflowRun, card: Card) -> bool:
    """Whether the run of a variant is of other runs than these, also one of before digests."""
    if digest := known.data.tags.get(_RECIPE):
        return bool(digest != _recipe(card))
    return bool(changed_params(known, card.variant_params()))
