"""One launch of many runs: looked at before, watched meanwhile, told about afterwards."""

import sys
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sidebyside.cli.stage import INTERRUPTED
from sidebyside.cli.tables import print_failures, print_side_by_side
from sidebyside.config.factors import Level, variant_name
from sidebyside.config.schema import Config, Launch
from sidebyside.data.prepare import prepare
from sidebyside.errors import UserError
from sidebyside.execution.evaluate import stored_evaluation
from sidebyside.execution.executors import Task, WorkerDiedError, Workers
from sidebyside.execution.progress import watch
from sidebyside.stderr import greetings_hidden
from sidebyside.storage import journal, keys, staleness, store
from sidebyside.storage.results import StudyRun, write_evaluate_results, write_train_results

_SAMPLES = (4, 10)  # rows and columns of the grid of digits


@dataclass(frozen=True)
class Job:
    """One run of a launch: its checked config and what the sweep calls it."""

    config: Config
    factors: dict[str, Level]

    @property
    def variant(self) -> str:
        """The name of the variant."""
        return variant_name(self.factors)

    def __str__(self) -> str:
        return f"{self.variant},seed={self.config.seed}".lstrip(",")


# Starts a run for each number of a job and its Launch, in order, and returns an exception for each
# that failed, else None.
Start = Callable[[list[tuple[int, Launch]]], list[BaseException | None]]


@dataclass(frozen=True)
class _Planned:
    """A job whose run key is known, by its number in the launch."""

    number: int
    job: Job
    key: str
    identity: dict[str, Any]

    def as_study_run(self) -> StudyRun:
        return StudyRun(self.key, self.job.variant, self.job.factors, self.job.config.seed)


def launch(
    jobs: Sequence[Job], start: Start, log_folder: Path, finished: Collection[str] = ()
) -> list[StudyRun]:
    """Check all ``jobs``, start them, and end the program if not all of them finish.

    Parameters
    ----------
    jobs : sequence of Job
    start : callable
        Starts those runs that have to be.
    log_folder : pathlib.Path
    finished : collection of str
        Keys of runs that this program has launched before.

    Returns
    -------
    list of StudyRun
        In the order of ``jobs``.

    Raises
    ------
    UserError
        Before anything is started, if a run can't be trained here.
    SystemExit
        With 1 if a run failed, with 130 after Ctrl-C or SIGTERM.
    """
    store.check_writable()
    _check_stopping(jobs[0].config)
    planned = _plan(jobs)
    held = _held_in_evidence(planned)
    if held and not finished:
        print(f"{len(held)} of {len(jobs)} runs are in the committed evidence.", file=sys.stderr)
    # Evidence first: its runs have no files here, whatever this program has launched.
    held = {one.number: one.as_study_run() for one in planned if one.key in finished} | held
    wanted = [one for one in planned if one.number not in held]
    runs = [held.get(one.number, one.as_study_run()) for one in planned]
    if not wanted:
        _write_results(planned, held, set())
        return runs
    if stale := staleness.explain([one.identity for one in wanted if not store.holds(one.key)]):
        print(stale, file=sys.stderr)
    with greetings_hidden():
        from sidebyside.tracking.client import Tracker
    tracker = Tracker(jobs[0].config.tracking)
    tracker.prepare()
    _check_trainable([one.job for one in wanted], log_folder)
    tracker.close_dead()
    launch_id = uuid.uuid4().hex[:12]
    parent = _open_parent(tracker, jobs, launch_id)
    _log_samples(tracker, parent, jobs[0].config)
    launches = [
        (one.number, Launch(launch_id, parent, one.key, one.job.variant, one.job.factors))
        for one in wanted
    ]
    epochs = {one.key: one.job.config.training.epochs for one in wanted}
    journal.record("launched", jobs[0].config.dataset.name, list(epochs), "train")
    status = "KILLED"
    try:
        with watch(launch_id, epochs):
            outcomes = start(launches)
        failures = {one.number: error for one, error in zip(wanted, outcomes, strict=True) if error}
        status = "FAILED" if failures else "FINISHED"
    except KeyboardInterrupt:
        _say_how_to_go_on(len(store.announced(launch_id)), len(wanted))
        raise SystemExit(INTERRUPTED) from None
    finally:
        tracker.close_dead()
        tracker.finish(parent, status)
        _write_results(planned, held, store.announced(launch_id))
        store.forget_launch(launch_id)
    _finish(planned, dict(launches), runs, failures, tracker)
    return runs


def errors_by_variant(config: Config, runs: Sequence[StudyRun]) -> dict[str, list[float]]:
    """Return the test errors of finished runs, percent."""
    assert config.study is not None
    from sidebyside.storage.evidence import committed

    held = any(run.in_evidence for run in runs)
    evidence = committed(config.dataset.name, config.study.name) if held else None
    known = {run.key: evidence.test_error(run) for run in evidence.runs} if evidence else {}
    errors: dict[str, list[float]] = {}
    for run in runs:
        error = known.get(run.key) if run.in_evidence else None
        if error is None:
            error = stored_evaluation(run.key).test_error
        errors.setdefault(run.variant, []).append(error)
    return errors


def _check_stopping(config: Config) -> None:
    if config.study and config.study.target_halfwidth and not config.evaluate:
        raise UserError(
            f"study.target_halfwidth={config.study.target_halfwidth:g} needs test errors, which "
            "evaluate=false leaves to a later stage: run the study with python pipelines/train.py "
            f"-m study={config.study.name} instead of DVC, or set it to null."
        )


def _plan(jobs: Sequence[Job]) -> list[_Planned]:
    """Return the jobs with what identifies each run."""
    planned: dict[str, _Planned] = {}
    for number, job in enumerate(jobs):
        arrays = prepare(job.config.dataset, job.config.data_format)
        identity = keys.identity(job.config, arrays)
        key = keys.run_key(identity)
        if key in planned:
            raise UserError(
                f"Two runs of this sweep are the same: {planned[key].job} and {job}. Sweep values "
                "that differ and change the result."
            )
        planned[key] = _Planned(number, job, key, identity)
    return list(planned.values())


def _held_in_evidence(planned: Sequence[_Planned]) -> dict[int, StudyRun]:
    """Return the runs that needn't be trained to complete the committed evidence, by number.

    Recipe and data have to be the same. Code and environment may be others: whoever can't make the
    same bits any more can still add seeds.
    """
    config = planned[0].job.config
    if not (config.study and config.training.complete_evidence):
        return {}
    from sidebyside.storage.evidence import committed

    evidence = committed(config.dataset.name, config.study.name)
    known = {(run.variant, run.seed): run for run in evidence.runs} if evidence else {}
    held = {}
    for one in planned:
        run = known.get((one.job.variant, one.job.config.seed))
        if run and all(run.identity[part] == one.identity[part] for part in ("recipe", "arrays")):
            held[one.number] = replace(one.as_study_run(), key=run.key, in_evidence=True)
    return held


def _write_results(
    planned: Sequence[_Planned], held: dict[int, StudyRun], finished: set[str]
) -> None:
    """Leave what a study's launch has got in ``results/``, for compare and for DVC."""
    config = planned[0].job.config
    runs = [
        held.get(one.number, one.as_study_run())
        for one in planned
        if one.number in held or one.key in finished
    ]
    if not config.study or not runs:
        return
    kept = {run.key for run in runs}
    missing = [str(one.job) for one in planned if one.number not in held and one.key not in kept]
    write_train_results(config, runs, missing)
    if config.evaluate:
        write_evaluate_results(
            config.dataset.name,
            config.study.name,
            [stored_evaluation(run.key) for run in runs if not run.in_evidence],
        )


def _check_trainable(jobs: Sequence[Job], log_folder: Path) -> None:
    configs = [job.config for job in jobs]
    Workers(1).first(Task(partial(_in_worker, configs), log_folder / "preflight.txt"))


def _in_worker(configs: Sequence[Config]) -> None:
    from sidebyside.execution.preflight import check_trainable

    check_trainable(configs)


def _open_parent(tracker: Any, jobs: Sequence[Job], launch_id: str) -> str:
    config = jobs[0].config
    if config.study:
        name = f"{config.study.name} on {config.dataset.name}"
        tags = {"study": config.study.name, "dataset": config.dataset.name, "level": "parent"}
        return str(tracker.open_parent(name, tags, reopen=True))
    names = list(jobs[0].factors) or ["one run"]
    tags = {"launch": launch_id, "level": "parent"}
    return str(tracker.open_parent(f"multirun over {', '.join(names)}", tags, reopen=False))


def _log_samples(tracker: Any, parent: str, config: Config) -> None:
    """Show in MLflow what the images of a launch look like."""
    from sidebyside.report.samples import draw_sample_grid

    rows, columns = _SAMPLES
    with TemporaryDirectory() as folder:
        path = Path(folder) / "samples.png"
        arrays = prepare(config.dataset, config.data_format)
        draw_sample_grid(arrays, "train", 0, rows, columns, path)
        tracker.log_file(parent, path)


def _say_how_to_go_on(done: int, total: int) -> None:
    print(
        f"\nInterrupted: {done} of {total} runs are finished and kept. The same command again "
        "goes on with the others.",
        file=sys.stderr,
    )


def _finish(
    planned: Sequence[_Planned],
    launches: dict[int, Launch],
    runs: Sequence[StudyRun],
    failures: dict[int, BaseException],
    tracker: Any,
) -> None:
    from sidebyside.tracking.client import Card

    config = planned[0].job.config
    study = config.study.name if config.study else None
    for number, error in failures.items():
        if isinstance(error, WorkerDiedError):  # too dead to report it itself
            one = planned[number]
            card = Card(one.key, one.identity["recipe"], launches[number], study)
            tracker.end_early(card, "FAILED", str(error))
    failed = [planned[number].as_study_run() for number in failures]
    if config.evaluate:
        shown = [run for run in runs if run not in failed and not run.in_evidence]
        print_side_by_side(shown)
    if failures:
        by_key = {planned[number].key: error for number, error in failures.items()}
        print_failures(failed, by_key)
        print("MLflow has the reason of each failure as its artifact failure.txt.")
        raise SystemExit(1)
