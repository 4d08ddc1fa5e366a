"""The report as Markdown."""

from collections.abc import Sequence
from dataclasses import replace

from sidebyside.analysis.published.recipes import Published
from sidebyside.config.factors import level_text
from sidebyside.report.commands import compare_command, training_command
from sidebyside.report.comparison import Comparison
from sidebyside.report.conditions import condition_rows
from sidebyside.report.folding import folded, of_folding, shown
from sidebyside.report.text.crossvalidation import in_folds
from sidebyside.report.text.findings import Entry
from sidebyside.report.text.markdown import fold, fold_sections, paragraph, table
from sidebyside.report.text.numbers import counted
from sidebyside.report.text.others import other_scores_text
from sidebyside.report.text.published import published_text
from sidebyside.report.text.rules import of_stopping
from sidebyside.report.text.scale import Scale
from sidebyside.report.text.sections import analysis_text
from sidebyside.storage.evidence import Evidence

_ANSWER = 3  # statements; the others are folded


def document(comparison: Comparison, evidence: Evidence) -> str:
    """Return ``comparison.md``."""
    parts = [
        f"# {evidence.study} on {evidence.dataset}",
        f"Made by `{compare_command(evidence, comparison.analysis.asked)}`.",
    ]
    if evidence.missing:
        parts.append(
            f"**Not finished: {counted(len(evidence.missing), 'run')} "
            f"{'is' if len(evidence.missing) == 1 else 'are'} missing** "
            f"({'; '.join(evidence.missing)})."
        )
    said = [f"- {sentence}" for sentence in comparison.statements]
    if comparison.published:
        parts.append(_verdicts(comparison.published))
    scale, analysis = Scale(evidence.metric), comparison.analysis
    names = shown(comparison.content, analysis.baseline, evidence.metric)
    content = folded(comparison.content, names)
    folding = of_folding(len(names), len(comparison.content["variants"]))
    how = _intervals(scale, evidence) if evidence.folds == 1 else in_folds(scale)
    parts += [
        "\n".join(said[:_ANSWER]),
        f"![{scale.title} by variant](pictures/variants.svg)",
        *([folding] if folding else []),
        table(_variant_rows(content["variants"], scale)),
        fold("How to read these intervals", paragraph(how)),
    ]
    if said[_ANSWER:]:
        parts.append(fold("More findings", "\n".join(said[_ANSWER:])))
    if evidence.stopping:
        parts.append(f"**How many seeds.** {of_stopping(evidence.stopping)}")
    if comparison.published:
        _, *others = fold_sections(published_text(comparison.published))
        parts += others
    sections = [
        *other_scores_text(evidence, names),
        analysis_text(replace(analysis, content=content)),
        *_made(evidence),
        "## More pictures",
        "![Confusion matrix of the best variant](confusion_best.png)",
        "![Sample images](samples.png)",
    ]
    return "\n\n".join([*parts, *fold_sections("\n\n".join(sections))]) + "\n"


def _verdicts(published: Published) -> str:
    """Return the first section on published figures, which is the answer there."""
    text = published_text(published)
    return text[: text.index("\n## ", 1)].strip()


def _intervals(scale: Scale, evidence: Evidence) -> str:
    over_seeds = 'as "How many seeds" says' if evidence.stopping else "Student t"
    most = max(len(evidence.of_variant(run.variant)) for run in evidence.runs)
    return f"""
        {scale.subject}, mean over n seeds, with three 95 % intervals: for new seeds and
        new images of the kind together; over seeds ({over_seeds}: other trainings, the same test
        images); over images ({scale.over_images(most)}: these networks, other test images). The
        training images are the same in all of them.{scale.no_images}"""


def _made(evidence: Evidence) -> list[str]:
    """Return the sections on what was trained, and how to train it again."""
    return [
        "## What was trained",
        "The settings that all runs share, and the command that trains them:",
        table(condition_rows(evidence)),
        f"```sh\n{training_command(evidence)}\n```",
    ]


def _variant_rows(variants: Sequence[Entry], scale: Scale) -> list[dict[str, str]]:
    rows, name = [], scale.metric.name
    for variant in sorted(variants, key=lambda own: scale.metric.rank(own[name]["mean"])):
        value, loss = variant[name], variant["test_loss"]
        levels = {name: level_text(level) for name, level in variant["factors"].items()}
        figures = {
            "n": str(variant["n"]),
            scale.column(scale.test): scale.fixed(value["mean"]),
            "95 %, new seeds and images": scale.ends(variant["seeds_and_images"]),
            "over seeds": scale.ends(value),
            "over images": scale.ends(variant["over_images"]),
            "test loss": "-" if loss["mean"] is None else f"{loss['mean']:.4f}",
            "parameters": str(variant["parameters"]),
            "protocol": variant["protocol"],
        }
        rows.append(levels | figures)
    return rows
