"""Runs of a study's variants with fresh seeds, which are no part of the study."""

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from sidebyside import paths
from sidebyside.analysis.metrics.judged import run_evidence
from sidebyside.analysis.tables import variants
from sidebyside.config.compose import compose_launcher
from sidebyside.config.schema import Config, Study
from sidebyside.errors import UserError
from sidebyside.execution.evaluate import evaluate
from sidebyside.execution.executors.chosen import executor_of
from sidebyside.execution.jobs import plan
from sidebyside.execution.launch import launch
from sidebyside.execution.planned import Wanted
from sidebyside.report.text.claims import Claim
from sidebyside.storage import store
from sidebyside.storage.evaluations import is_evaluated
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


def fresh_runs(
    evidence: Evidence, names: Sequence[str], seeds: int | None, base: Config
) -> list[Wanted]:
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
    planned = [int(name.rpartition("seed=")[2].split()[0]) for name in evidence.missing]
    first = 1 + max([run.seed for run in evidence.runs] + planned)
    if any(run.diverged for run in evidence.runs):  # and counts, as fresh ones have to
        base = replace(base, training=replace(base.training, diverged="counts"))
    runs: list[Wanted] = []
    for name in names:
        replicate = evidence.of_variant(name)
        for seed in range(first, first + (seeds or len(replicate))):
            config = base.with_recipe(replicate[0].recipe | {"seed": seed})
            runs.append((replace(config, evaluate=True), replicate[0].factors))
    return runs


def train_fresh(runs: Sequence[Wanted], evidence: Evidence, study: Study) -> Evidence:
    """Return the evidence of runs, training in parallel what the run store doesn't have yet.

    They are ordinary runs of the run store and of MLflow, but not of the study: its results stay
    as they are.

    Parameters
    ----------
    runs : sequence of (Config, dict)
        Configs, each with its levels.
    evidence : Evidence
        Of the study, whose test images these are.
    study : Study
        Says what runs are judged by.

    Raises
    ------
    UserError
        If a run can't be trained here, before anything is started, or if one failed.
    SystemExit
        With 130 after Ctrl-C or SIGTERM; what is finished is kept.
    """
    jobs = [plan(config, factors) for config, factors in runs]
    missing = [job for job in jobs if not _is_finished(job.run)]
    seeds = sorted({job.run.seed for job in jobs})
    print(
        f"{len(jobs)} runs with fresh seeds {seeds[0]} to {seeds[-1]}: {len(missing)} to train, "
        f"{len(jobs) - len(missing)} finished before",
        file=sys.stderr,
    )
    if missing:
        _train([(job.config, job.run.factors) for job in missing])
    trained = []
    for job in jobs:
        stored = store.load(paths.run(job.run.key))
        trained.append(run_evidence(job.run, stored, evaluate(stored), evidence.target, study))
    return replace(evidence, runs=trained, missing=[], ensembles=[], stopping=None)


def _is_finished(run: StudyRun) -> bool:
    return store.find(run.key) is not None and is_evaluated(run.key)


def _train(runs: Sequence[Wanted]) -> None:
    executor = executor_of(compose_launcher())
    with redirect_stdout(sys.stderr), TemporaryDirectory() as folder:
        launched = launch(runs, executor, Path(folder))
    if launched.failures:
        reasons = "; ".join(f"{key[:12]}: {error}" for key, error in launched.failures.items())
        raise UserError(
            f"The claims aren't tested, as not all fresh runs could be trained ({reasons}). The "
            "same command again trains what is missing."
        )
