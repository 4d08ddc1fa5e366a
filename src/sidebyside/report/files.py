"""The files of a report but for its pictures and its page."""

import hashlib
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sidebyside import paths
from sidebyside.config.factors import Level, level_text
from sidebyside.errors import UserError
from sidebyside.files import each_number, read_json, without_links, write_json, write_text
from sidebyside.report.comparison import Comparison
from sidebyside.report.text.document import document
from sidebyside.report.text.published import verdict_text
from sidebyside.storage.evidence import Evidence
from sidebyside.storage.evidence_files import FILE, write_evidence
from sidebyside.storage.store import INFERENCE, TIMING

_COSTS = "costs.json"
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_.,=+-]")  # in the name of a file
_LONGEST = 120
_DECIMALS = 6  # the last bits of a sum may differ between machines; nobody reads them


def write_files(comparison: Comparison, evidence: Evidence) -> None:
    """Write numbers, tables, text and evidence to the report's folder."""
    folder = without_links(comparison.folder)
    write_json(folder / "comparison.json", _rounded(comparison.content))
    _write_metrics(folder / "metrics", comparison)
    write_text(folder / "comparison.md", document(comparison, evidence))
    if comparison.published:
        write_text(folder / "verdicts.md", verdict_text(comparison.published))
    comparison.runs.to_csv(folder / "runs.csv", index=False, float_format="%.6f")
    write_evidence(folder / FILE, evidence)
    _write_costs(folder / _COSTS, evidence)


def _rounded(content: Any) -> Any:
    return each_number(content, lambda number: round(number, _DECIMALS))


def _write_metrics(folder: Path, comparison: Comparison) -> None:
    """Write what ``dvc metrics show`` makes a row of, a file for each variant."""
    shutil.rmtree(folder, ignore_errors=True)  # another study of this name may have had others
    folder.mkdir()
    metric = comparison.analysis.metric.name
    for variant in comparison.content["variants"]:
        interval = variant.get("seeds_and_images") or {}
        row = {"n": variant["n"], metric: variant[metric]["mean"]}
        row |= {f"{metric}_{end}": interval.get(end) for end in ("low", "high")}
        write_json(folder / f"{_row_name(variant['factors'])}.json", _rounded(row))


def _row_name(factors: Mapping[str, Level]) -> str:
    """Return the name of a variant's file, in which a level that is a word stands alone."""
    parts = (
        level if isinstance(level, str) else f"{name}={level_text(level)}"
        for name, level in factors.items()
    )
    name = ",".join(parts) or "variant"
    plain = _NOT_PLAIN.sub("_", name)[:_LONGEST]
    if plain == name:
        return name
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def _write_costs(path: Path, evidence: Evidence) -> None:
    """Write times of training and of inference, which never come out the same: DVC tracks none.

    Those of runs that were trained elsewhere stay as they are.
    """
    before = _read_costs(path)
    costs = {run.key: before[run.key] for run in evidence.runs if run.key in before}
    for run in evidence.runs:
        folder = paths.run(run.key)
        timing = folder / TIMING
        if timing.is_file():
            costs[run.key] = {"variant": run.variant, "seconds": read_json(timing)["seconds"]}
        inference = folder / INFERENCE
        if inference.is_file():
            named = costs.setdefault(run.key, {"variant": run.variant})
            named["milliseconds"] = read_json(inference)
    if costs:
        write_json(path, {run.key: costs[run.key] for run in evidence.runs if run.key in costs})


def training_seconds(folder: Path) -> dict[str, float]:
    """Return the training time of each run of a report whose time is known."""
    return {key: cost["seconds"] for key, cost in _costs(folder).items() if "seconds" in cost}


def inference_milliseconds(folder: Path) -> dict[str, dict[str, float]]:
    """Return how long batches took each run's network, by their size, where that is known."""
    costs = _costs(folder).items()
    return {key: cost["milliseconds"] for key, cost in costs if "milliseconds" in cost}


def _costs(folder: Path) -> dict[str, dict[str, Any]]:
    return _read_costs(folder / _COSTS)


def _read_costs(path: Path) -> dict[str, dict[str, Any]]:
    try:
        return read_json(path) if path.is_file() else {}
    except ValueError as error:
        raise UserError(
            f"{path} is damaged ({error}): restore it with git, or delete it, which costs the "
            "report the times of runs that were trained elsewhere."
        ) from None
