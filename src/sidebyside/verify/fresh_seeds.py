"""Runs of a study's variants with fresh seeds, which are no part of the study."""

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from sidebyside import paths
from sidebyside.analysis.analyse import variants
from sidebyside.cli.stage import INTERRUPTED
from sidebyside.config.recipes import config_of
from sidebyside.config.schema import Config, Launch
from sidebyside.data.prepare import prepare
from sidebyside.errors import UserError
from sidebyside.execution.evaluate import evaluate, is_evaluated
from sidebyside.execution.executors import Task, Workers, worker_count
from sidebyside.execution.launch import Job, launch
from sidebyside.execution.train import train_checked
from sidebyside.report.claims import Claim
from sidebyside.report.gathering import run_evidence
from sidebyside.storage import keys, store
from sidebyside.storage.evidence import Evidence
from sidebyside.storage.results import StudyRun


def variants_of(claims: Sequence[Claim], evidence: Evidence) -> list[str]:
    """Return the variants whose runs can test the claims, in the order of the study's grid.

    A claim on a factor averages over the others, so it takes all variants; of a factor whose levels
    are equivalent, those with these levels; a claim on a pair takes its two.
    """
    wanted: set[str] = set()
    for claim in claims:
        if claim.kind in ("pair", "equivalent pair"):
            wanted |= {claim.subject["a"], claim.subject["b"]}
        elif claim.kind == "equivalence":
            factor, levels = claim.subject["factor"], claim.subject["levels"]
            wanted |= {run.variant for run in evidence.runs if run.factors[factor] in levels}
        else:
            wanted |= set(variants(evidence))
    return [name for name in variants(evidence) if name in wanted]


def fresh_jobs(
    evidence: Evidence, names: Sequence[str], seeds: int | None, base: Config
) -> list[Job]:
    """Return runs of variants with seeds above all of the study's, from the lowest on.

    They are the same whenever they are asked for, so nobody can draw seeds until a claim holds.

    Parameters
    ----------
    evidence : Evidence
        Of the study, which says how its runs were trained.
    names : sequence of str
        The variants.
    seeds : int or None
        Runs of each; None is as many as the study has of it.
    base : Config
        Of the study's dataset; a run's own recipe takes the place of all else.
    """
    planned = [int(name.rpartition("seed=")[2]) for name in evidence.missing]
    first = 1 + max([run.seed for run in evidence.runs] + planned)
    jobs = []
    for name in names:
        replicate = evidence.of_variant(name)
        for seed in range(first, first + (seeds or len(replicate))):
            config = config_of(replicate[0].recipe | {"seed": seed}, base)
            jobs.append(Job(replace(config, evaluate=True), replicate[0].factors))
    return jobs


def train_fresh(jobs: Sequence[Job], evidence: Evidence) -> Evidence:
    """Return the evidence of jobs, training in parallel what the run store doesn't have yet.

    They are ordinary runs of the run store and of MLflow, but not of the study: its results stay
    as they are.

    Parameters
    ----------
    jobs : sequence of Job
    evidence : Evidence
        Of the study, whose test images these are.

    Raises
    ------
    UserError
        If a run can't be trained here, before anything is started, or if one failed.
    SystemExit
        With 130 after Ctrl-C or SIGTERM; what is finished is kept.
    """
    runs = [_as_study_run(job) for job in jobs]
    wanted = [job for job, run in zip(jobs, runs, strict=True) if not _is_finished(run)]
    seeds = sorted({run.seed for run in runs})
    print(
        f"{len(jobs)} runs with fresh seeds {seeds[0]} to {seeds[-1]}: {len(wanted)} to train, "
        f"{len(jobs) - len(wanted)} finished before",
        file=sys.stderr,
    )
    if wanted:
        with redirect_stdout(sys.stderr), TemporaryDirectory() as folder:
            _launch(wanted, Path(folder))
    found = []
    for run in runs:
        stored = store.load(paths.run(run.key))
        found.append(run_evidence(run, stored, evaluate(stored), evidence.target))
    return replace(evidence, runs=found, missing=[], ensembles=[], stopping=None)


def _as_study_run(job: Job) -> StudyRun:
    arrays = prepare(job.config.dataset, job.config.data_format)
    key = keys.run_key(keys.identity(job.config, arrays))
    return StudyRun(key, job.variant, job.factors, job.config.seed)


def _is_finished(run: StudyRun) -> bool:
    return store.find(run.key) is not None and is_evaluated(run.key)


def _launch(jobs: Sequence[Job], folder: Path) -> None:
    try:
        launch(jobs, partial(_start, jobs, folder), folder)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            raise
        raise UserError(
            "The claims aren't tested, as not all fresh runs could be trained; the reasons are "
            "above, and the same command again trains what is missing."
        ) from None


def _start(
    jobs: Sequence[Job], folder: Path, launches: Sequence[tuple[int, Launch]]
) -> list[BaseException | None]:
    tasks = [
        Task(
            partial(train_checked, replace(jobs[number].config, launch=launched)),
            folder / f"{launched.key[:12]}.txt",
        )
        for number, launched in launches
    ]
    outcomes = dict(Workers(worker_count(None)).run(tasks))
    failures = (outcomes[number] for number in range(len(tasks)))
    return [one if isinstance(one, BaseException) else None for one in failures]
