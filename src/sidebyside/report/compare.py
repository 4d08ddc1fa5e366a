"""Compare the variants of a study."""

import math
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from sidebyside import paths
from sidebyside.analysis.analyse import Analysis, analyse, settled
from sidebyside.analysis.asked import as_asked
from sidebyside.analysis.intervals import interval
from sidebyside.analysis.published.holding import hold_against_published
from sidebyside.analysis.published.recipes import Published
from sidebyside.config.compose import compose_config
from sidebyside.config.datasets import Dataset
from sidebyside.config.factors import level_text
from sidebyside.config.metrics import ERROR
from sidebyside.config.schema import Study
from sidebyside.config.validate import check_dataset, check_study
from sidebyside.errors import UserError
from sidebyside.report.cautions import diverged, leaked
from sidebyside.report.comparison import Comparison
from sidebyside.report.conditions import condition_rows, refuse_other_settings
from sidebyside.report.files import inference_milliseconds, training_seconds, write_files
from sidebyside.report.gathering import gather
from sidebyside.report.page.page import write_report
from sidebyside.report.pictures.study import draw_pictures
from sidebyside.report.text.crossvalidation import division_of, of_division, of_limits
from sidebyside.report.text.findings import of_pair
from sidebyside.report.text.published import summary
from sidebyside.report.text.rules import rule_statements
from sidebyside.report.text.scale import Scale
from sidebyside.report.text.statements import statements
from sidebyside.storage.evidence import Evidence
from sidebyside.storage.evidence_files import committed
from sidebyside.storage.results import StudyResults, load_study

# What decides a report; its own files are new by nature.
_DECIDING = ("conf", "pipelines", "src", "params.yaml", "pyproject.toml", "requirements.lock")


def compare(
    study: StudyResults, allow_partial: bool = False, overrides: Sequence[str] = ()
) -> Comparison:
    """Write the report of a study and return its tables, see `compare_study`.

    Parameters
    ----------
    study : StudyResults
        As `sidebyside.run_study` and `sidebyside.load_study` return it.
    allow_partial : bool
        Go on although runs are missing; the report names them.
    overrides : sequence of str
        What of the study isn't as its file says, e.g. "study.metric=log_loss".

    Raises
    ------
    UserError
        If its results are those of other runs by now, as another launch of it has left them.
    """
    there = paths.results(study.dataset, study.study, "train").is_dir()
    if there and load_study(study.dataset, study.study).runs != study.runs:
        raise UserError(
            f"results/{study.dataset}/{study.study} holds other runs than these by now: "
            f'sidebyside.load_study("{study.dataset}", "{study.study}") returns them.'
        )
    config = compose_config([f"study={study.study}", f"dataset={study.dataset}", *overrides])
    return compare_study(check_dataset(config), check_study(config), allow_partial)


def compare_study(dataset: Dataset, study: Study, allow_partial: bool = False) -> Comparison:
    """Write the report of a study to ``reports/<dataset>/<study>/``, and return its tables.

    ``comparison.json``, ``metrics/``, ``comparison.md``, ``runs.csv``, ``evidence.npz``,
    ``costs.json``, ``report.html`` and pictures. They are made from what train and evaluate left
    under ``results/``; where there is nothing, from the evidence committed beside the report, to
    the same bytes.

    Parameters
    ----------
    dataset : Dataset
    study : Study
    allow_partial : bool
        Go on although runs are missing; the report names them.

    Raises
    ------
    UserError
        If there are neither results nor evidence, if they are damaged, if runs are missing, or if
        the report that is there is of another study with this name.
    """
    evidence = gather(dataset, study, allow_partial)
    refuse_other_settings(evidence, committed(dataset.name, study.name))
    published = hold_against_published(evidence)
    study = as_asked(study, evidence.stopping)
    if evidence.metric != ERROR:
        evidence = replace(evidence, margin=study.margin)
    analysis = analyse(evidence, study, dataset.disputed)
    runs = _run_table(evidence)
    comparison = Comparison(
        folder=paths.reports(dataset.name, study.name),
        runs=runs,
        content=_content(evidence, runs, analysis, published),
        analysis=analysis,
        published=published,
    )
    write_files(comparison, evidence)
    draw_pictures(comparison, evidence, dataset.class_names)
    write_report(
        comparison,
        evidence,
        training_seconds(comparison.folder),
        made_by(),
        comparison.folder / "report.html",
        disputed=dataset.disputed,
        margin=study.margin,
        class_names=dataset.class_names,
        milliseconds=inference_milliseconds(comparison.folder),
    )
    return comparison


def _run_table(evidence: Evidence) -> pd.DataFrame:
    rows = []
    by_metric = {} if evidence.metric == ERROR else {evidence.metric.name: evidence.value}
    for run in evidence.runs:
        levels = {name: level_text(level) for name, level in run.factors.items()}
        figures = {
            "protocol": run.protocol,
            **{name: value(run) for name, value in by_metric.items()},
            "test_error": evidence.test_error(run),
            "test_loss": run.test_loss,
            "parameters": run.parameters,
        }
        figures |= {name: values[-1] for name, values in run.history.items()}
        # A factor may be called like a figure or "seed"; what was varied then keeps the column.
        rows.append({"key": run.key, "variant": run.variant, "seed": run.seed} | figures | levels)
    return pd.DataFrame(rows)


def _content(
    evidence: Evidence, runs: pd.DataFrame, analysis: Analysis, published: Published | None
) -> dict[str, Any]:
    protocols = list(dict.fromkeys(analysis.protocols.values()))
    variants = _variants(runs, evidence, analysis)
    by_rule = rule_statements(evidence.stopping, analysis.content | {"variants": variants})
    said = [*by_rule, *diverged(evidence), *leaked(evidence), *statements(analysis)]
    said = [*of_division(evidence), *said, *of_limits(evidence)]
    factors = evidence.runs[0].factors
    content: dict[str, Any] = {
        "dataset": evidence.dataset,
        "study": evidence.study,
        "protocol": ", ".join(protocols),
        "n_runs": len(evidence.runs),
        "settings": {row["setting"]: row["value"] for row in condition_rows(evidence)},
        "factors": {
            name: list(dict.fromkeys(run.factors[name] for run in evidence.runs))
            for name in factors
        },
        "variants": variants,
        **analysis.content,
        "statements": [summary(published), *said] if published else said,
    }
    scale = Scale(evidence.metric)
    content["pairs"] = [pair | {"statement": of_pair(pair, scale)} for pair in content["pairs"]]
    if evidence.metric != ERROR:
        content["metric"] = evidence.metric.as_json()
    if evidence.folds > 1:
        content["crossvalidation"] = division_of(evidence)
    if evidence.missing:
        content["missing"] = evidence.missing
    if evidence.stopping:
        content["stopping"] = evidence.stopping
    return content | (published.as_json() if published else {})


def _variants(runs: pd.DataFrame, evidence: Evidence, analysis: Analysis) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "factors": evidence.of_variant(str(name))[0].factors,
            "n": len(replicate),
            evidence.metric.name: analysis.over_seeds[str(name)],
            "test_loss": _test_loss(replicate, evidence),
            "seeds_and_images": analysis.seeds_and_images[str(name)],
            "over_images": _ends(analysis.over_images[str(name)]),
            "parameters": int(replicate["parameters"].iloc[0]),
            "protocol": analysis.protocols[str(name)],
        }
        for name, replicate in runs.groupby("variant", sort=False)
    ]


def _test_loss(runs: pd.DataFrame, evidence: Evidence) -> dict[str, float | None]:
    return _finite(settled(interval(runs["test_loss"].tolist(), folds=evidence.folds)))


def _finite(numbers: dict[str, float | None]) -> dict[str, float | None]:
    """Return None for what is no number, as the loss of a run that diverged, and no JSON."""
    return {k: None if v is None or not math.isfinite(v) else v for k, v in numbers.items()}


def _ends(interval: dict[str, float] | None) -> dict[str, float] | None:
    return interval and {end: interval[end] for end in ("low", "high")}


def made_by() -> dict[str, str]:
    """Return commit, whether what decides a report differs from it, and machine.

    A file that git doesn't know counts as a change: it is in no commit. What can't be asked is
    "unknown".
    """
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--", *_DECIDING)
    return {
        "git commit": commit or "unknown",
        "uncommitted changes": "unknown" if commit is None else "yes" if changed else "no",
        "Python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }


def _git(*arguments: str) -> str | None:
    """Return what git prints, None where there is no git or no repository."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", "-C", str(paths.root()), *arguments],  # noqa: S607 - whichever git is on the PATH
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
