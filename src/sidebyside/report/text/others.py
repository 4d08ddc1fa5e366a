"""What other metrics than the study's say of its variants: tabled, without claims."""

from collections.abc import Sequence

import numpy as np

from sidebyside.config.metrics import ERROR, metric_of
from sidebyside.report.text.markdown import paragraph, table
from sidebyside.report.text.numbers import spelled
from sidebyside.report.text.scale import Scale
from sidebyside.storage.evidence import Evidence

TITLE = "Other scores, without claims"
ABOUT = """
    Means over seeds by other metrics than the one that the study is judged by, from the same
    probabilities. Nothing here is tested, and no sentence above rests on it: who looks at enough
    scores finds one that differs."""


def other_scores(evidence: Evidence, variants: Sequence[str]) -> list[dict[str, str]]:
    """Return a row per variant with its mean by each other metric; none where they weren't kept."""
    if not all(run.others for run in evidence.runs):
        return []
    names = [name for name in evidence.runs[0].others if name != evidence.metric.name]
    scales = {name: Scale(ERROR if name == ERROR.name else metric_of(name)) for name in names}
    rows = []
    kept = set(variants)
    for variant in dict.fromkeys(run.variant for run in evidence.runs if run.variant in kept):
        runs = evidence.of_variant(variant)
        means = {name: float(np.mean([run.others[name] for run in runs])) for name in names}
        rows.append(
            {"variant": spelled(variant), "n": str(len(runs))}
            | {
                scale.column(scale.metric.label): scale.fixed(means[name])
                for name, scale in scales.items()
            }
        )
    return rows


def other_scores_text(evidence: Evidence, variants: Sequence[str]) -> list[str]:
    """Return the section of other scores; nothing where they weren't kept."""
    rows = other_scores(evidence, variants)
    return [f"## {TITLE}", paragraph(ABOUT), table(rows)] if rows else []
