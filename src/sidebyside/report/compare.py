"""Compare the variants of a study."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sidebyside import paths
from sidebyside.analysis.analyse import Analysis, analyse
from sidebyside.analysis.intervals import clipped, interval, rounding_variance
from sidebyside.analysis.published import Published, hold_against_published
from sidebyside.config.factors import level_text
from sidebyside.config.schema import Dataset, Study
from sidebyside.files import read_json, without_links, write_json
from sidebyside.report import pictures
from sidebyside.report.comparison import Comparison
from sidebyside.report.conditions import condition_rows, refuse_other_settings, training_command
from sidebyside.report.gathering import gather
from sidebyside.report.markdown import analysis_text, answer_text
from sidebyside.report.page import write_report
from sidebyside.report.provenance import made_by
from sidebyside.report.published_pictures import draw_published, draw_published_curves
from sidebyside.report.published_text import published_text, summary, verdict_text
from sidebyside.report.statements import of_pair, of_stopping, statements
from sidebyside.report.text import ends_text, paragraph, table
from sidebyside.storage.evidence import FILE, Evidence, committed, write_evidence
from sidebyside.storage.store import TIMING

COSTS = "costs.json"
_SAMPLES = (4, 10)  # rows and columns of the grid of digits


def compare(dataset: Dataset, study: Study, allow_partial: bool = False) -> Comparison:
    """Write the report of a study to ``reports/<dataset>/<study>/``.

    ``comparison.json``, ``metrics.json``, ``comparison.md``, ``runs.csv``, ``evidence.npz``,
    ``costs.json`` and pictures. They are made from what train and evaluate left under
    ``results/``; where there is nothing, from the evidence committed beside the report, to the
    same bytes.

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
    evidence = gather(dataset, study.name, allow_partial)
    refuse_other_settings(evidence, committed(dataset.name, study.name))
    published = hold_against_published(evidence)
    analysis = analyse(evidence, study, dataset.disputed)
    runs = _run_table(evidence)
    comparison = Comparison(
        folder=paths.reports(dataset.name, study.name),
        runs=runs,
        variants=_variants(runs, evidence, analysis),
        analysis=analysis,
        statements=_statements(analysis, published),
        published=published,
    )
    _write(comparison, evidence)
    _draw(comparison, evidence)
    write_report(
        comparison,
        evidence,
        _seconds(comparison.folder / COSTS),
        made_by(),
        comparison.folder / "report.html",
        disputed=dataset.disputed,
        margin=study.margin,
    )
    return comparison


def _statements(analysis: Analysis, published: Published | None) -> list[str]:
    protocols = list(dict.fromkeys(analysis.protocols.values()))
    said = statements(analysis.content, protocols, analysis.confounded)
    return [summary(published), *said] if published else said


def _run_table(evidence: Evidence) -> pd.DataFrame:
    rows = []
    for run in evidence.runs:
        levels = {name: level_text(level) for name, level in run.factors.items()}
        figures = {
            "protocol": run.protocol,
            "test_error": evidence.test_error(run),
            "test_loss": run.test_loss,
            "parameters": run.parameters,
        }
        figures |= {name: values[-1] for name, values in run.history.items()}
        # A factor may be called like a figure or "seed"; what was varied then keeps the column.
        rows.append({"key": run.key, "variant": run.variant, "seed": run.seed} | figures | levels)
    return pd.DataFrame(rows)


def _variants(runs: pd.DataFrame, evidence: Evidence, analysis: Analysis) -> list[dict[str, Any]]:
    least = rounding_variance(len(evidence.target))
    return [
        {
            "name": name,
            "factors": evidence.of_variant(str(name))[0].factors,
            "n": len(replicate),
            "test_error": clipped(interval(replicate["test_error"].tolist(), least)),
            "test_loss": interval(replicate["test_loss"].tolist()),
            "seeds_and_images": analysis.seeds_and_images[str(name)],
            "over_images": {end: analysis.over_images[str(name)][end] for end in ("low", "high")},
            "parameters": int(replicate["parameters"].iloc[0]),
            "protocol": evidence.of_variant(str(name))[0].protocol,
        }
        for name, replicate in runs.groupby("variant", sort=False)
    ]


def _write(comparison: Comparison, evidence: Evidence) -> None:
    folder = without_links(comparison.folder)
    write_json(folder / "comparison.json", _as_json(comparison, evidence))
    write_json(folder / "metrics.json", _metrics(comparison.variants))
    (folder / "comparison.md").write_text(_markdown(comparison, evidence))
    if comparison.published:
        (folder / "verdicts.md").write_text(verdict_text(comparison.published))
    comparison.runs.to_csv(folder / "runs.csv", index=False, float_format="%.6f")
    write_evidence(folder / FILE, evidence)
    _write_costs(folder / COSTS, evidence)


def _as_json(comparison: Comparison, evidence: Evidence) -> dict[str, Any]:
    runs = evidence.runs
    content: dict[str, Any] = {
        "dataset": evidence.dataset,
        "study": evidence.study,
        "protocol": _protocols(evidence),
        "n_runs": len(runs),
        "settings": {row["setting"]: row["value"] for row in condition_rows(evidence)},
        "factors": {
            name: list(dict.fromkeys(run.factors[name] for run in runs)) for name in runs[0].factors
        },
        "variants": comparison.variants,
        **comparison.analysis.content,
        "statements": comparison.statements,
    }
    content["pairs"] = [pair | {"statement": of_pair(pair)} for pair in content["pairs"]]
    if evidence.missing:
        content["missing"] = evidence.missing
    if evidence.stopping:
        content["stopping"] = evidence.stopping
    if comparison.published:
        content |= comparison.published.as_json()
    return content


def _protocols(evidence: Evidence) -> str:
    """Return the protocol of the runs; several are all named."""
    return ", ".join(dict.fromkeys(run.protocol for run in evidence.runs))


def _metrics(variants: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return what ``dvc metrics`` shows: numbers only, by variant."""
    return {
        variant["name"] or "variant": {
            "test_error": variant["test_error"]["mean"],
            "test_loss": variant["test_loss"]["mean"],
            "n": variant["n"],
        }
        for variant in variants
    }


def _markdown(comparison: Comparison, evidence: Evidence) -> str:
    command = f"python pipelines/compare.py study={evidence.study} dataset={evidence.dataset}"
    parts = [f"# {evidence.study} on {evidence.dataset}", f"Made by `{command}`."]
    if evidence.missing:
        parts.append(
            f"**Not finished: {len(evidence.missing)} runs are missing** "
            f"({'; '.join(evidence.missing)})."
        )
    if comparison.published:
        parts += [published_text(comparison.published), "## Findings"]
    parts.append(answer_text(comparison.statements))
    if evidence.stopping:
        parts.append(of_stopping(evidence.stopping))
    parts += [
        "## All variants",
        paragraph("""
            Test error in percent, mean over n seeds, with three 95 % intervals: for new seeds and
            new images of the kind together; over seeds (Student t: other trainings, the same test
            images); over images (bootstrap: these networks, other test images). The training
            images are the same in all of them."""),
        table(_rows(comparison.variants)),
        analysis_text(comparison.analysis),
        *_made(evidence),
        "## Pictures",
        "![Test error by variant](errors.png)",
        "![Learning curves](learning_curves.png)",
        "![Confusion matrix of the best variant](confusion_best.png)",
        "![Sample digits](samples.png)",
    ]
    return "\n\n".join(parts) + "\n"


def _made(evidence: Evidence) -> list[str]:
    """Return the sections on what was trained, and how to train it again."""
    return [
        "## What was trained",
        "The settings that all runs share, and the command that trains them:",
        table(condition_rows(evidence)),
        f"```sh\n{training_command(evidence)}\n```",
    ]


def _rows(variants: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    rows = []
    for variant in sorted(variants, key=lambda one: one["test_error"]["mean"]):
        error, loss = variant["test_error"], variant["test_loss"]
        levels = {name: level_text(level) for name, level in variant["factors"].items()}
        figures = {
            "n": str(variant["n"]),
            "test error %": f"{error['mean']:.2f}",
            "95 %, new seeds and images": ends_text(variant["seeds_and_images"]),
            "over seeds": ends_text(error),
            "over images": ends_text(variant["over_images"]),
            "test loss": f"{loss['mean']:.4f}",
            "parameters": str(variant["parameters"]),
            "protocol": variant["protocol"],
        }
        rows.append(levels | figures)
    return rows


def _write_costs(path: Path, evidence: Evidence) -> None:
    """Write training times in seconds; DVC doesn't track them, as they never come out the same.

    Those of runs that were trained elsewhere stay as they are.
    """
    before = read_json(path) if path.is_file() else {}
    costs = {run.key: before[run.key] for run in evidence.runs if run.key in before}
    for run in evidence.runs:
        timing = paths.run(run.key) / TIMING
        if timing.is_file():
            costs[run.key] = {"variant": run.variant, "seconds": read_json(timing)["seconds"]}
    if costs:
        write_json(path, costs)


def _seconds(path: Path) -> dict[str, float]:
    """Return the training time of each run whose time is known."""
    costs = read_json(path) if path.is_file() else {}
    return {key: cost["seconds"] for key, cost in costs.items()}


def _draw(comparison: Comparison, evidence: Evidence) -> None:
    folder, variants = comparison.folder, comparison.variants
    several = len({run.protocol for run in evidence.runs}) > 1  # then each row names its own
    protocol = "several protocols" if several else f"protocol {_protocols(evidence)}"
    what = f"{evidence.study} on {evidence.dataset}, {protocol}"
    pictures.draw_errors(comparison.runs, variants, what, folder / "errors.png")
    pictures.draw_curves(_curves(evidence), what, folder / "learning_curves.png")
    best = min(variants, key=lambda variant: variant["test_error"]["mean"])
    confusion = np.sum([evidence.confusion(run) for run in evidence.of_variant(best["name"])], 0)
    title = f"Best variant, {best['n']} runs together: {best['name'].replace(',', ', ')}"
    pictures.draw_confusion(confusion, title, folder / "confusion_best.png")
    rows, columns = _SAMPLES
    pictures.draw_samples(
        evidence.samples, evidence.sample_labels, rows, columns, folder / "samples.png"
    )
    if comparison.published:
        draw_published(comparison.published, folder / "published.png")
        draw_published_curves(comparison.published, folder / "published_curves.png")


def _curves(evidence: Evidence) -> pd.DataFrame:
    frames = []
    for run in evidence.runs:
        epochs = len(run.history["accuracy"])
        missing = [np.nan] * epochs
        errors = {
            name: 100 * (1 - np.array(run.history.get(figure, missing)))
            for name, figure in (
                ("training_error", "accuracy"),
                ("validation_error", "val_accuracy"),
            )
        }
        shared = {"variant": run.variant, "seed": run.seed, "epoch": range(1, epochs + 1)}
        frames.append(pd.DataFrame(shared | errors))
    return pd.concat(frames, ignore_index=True)
