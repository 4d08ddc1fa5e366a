"""A report in short, as MLflow shows it beside a study's run."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from sidebyside.config.factors import level_text
from sidebyside.config.metrics import ERROR, Metric, read_metric
from sidebyside.report.text.markdown import table
from sidebyside.report.text.numbers import spelled
from sidebyside.report.text.scale import Scale

_MOST_SENTENCES = 6
_MOST_CHARACTERS = 7500  # of the 8000 that MLflow takes, as links are added


def note(content: Mapping[str, Any]) -> str:
    """Return the opening and the table of a report in Markdown, cut to what MLflow takes.

    Parameters
    ----------
    content : mapping
        What ``comparison.json`` holds.
    """
    said = [f"- {sentence}" for sentence in content["statements"][:_MOST_SENTENCES]]
    opening = "\n".join(said)[: _MOST_CHARACTERS // 2]
    rows, scale = variant_rows(content), Scale(metric_of(content))

    def of_best(count: int) -> str:
        return f"{opening}\n\n{_table(rows[:count], len(rows), scale)}"

    if len(whole := of_best(len(rows))) <= _MOST_CHARACTERS:
        return whole
    fewer = range(1, len(rows))
    most = bisect_right(fewer, _MOST_CHARACTERS, key=lambda count: len(of_best(count)))
    return of_best(most) if most else opening


def variant_rows(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the variants of a report, the best first, each with ``rank`` and ``verdict``.

    The verdict is that against the baseline; of variants that are one network it is the same.
    """
    metric, verdicts = metric_of(content), _verdicts(content)
    ordered = sorted(content["variants"], key=lambda own: metric.rank(own[metric.name]["mean"]))
    means = [own[metric.name]["mean"] for own in ordered]
    return [
        own
        | {
            "rank": means.index(own[metric.name]["mean"]) + 1,
            "verdict": verdicts.get(own["name"], ""),
        }
        for own in ordered
    ]


def metric_of(content: Mapping[str, Any]) -> Metric:
    """Return what a report judges by."""
    return read_metric(content["metric"]) if "metric" in content else ERROR


def _told(variant: Mapping[str, Any], scale: Scale) -> dict[str, str]:
    value = variant[scale.metric.name]
    levels = {name: level_text(level) for name, level in variant["factors"].items()}
    return levels | {
        "n": str(variant["n"]),
        scale.column(scale.test): scale.fixed(value["mean"]),
        "95 %, new seeds and images": scale.ends(variant["seeds_and_images"]),
        "over seeds": scale.ends(value),
    }


def _table(rows: Sequence[Mapping[str, Any]], total: int, scale: Scale) -> str:
    protocols = {row["protocol"] for row in rows}
    cells = [
        {"rank": str(row["rank"])}
        | _told(row, scale)
        | ({"protocol": row["protocol"]} if len(protocols) > 1 else {})
        | {"verdict": row["verdict"]}
        for row in rows
    ]
    below = [f"The best {len(rows)} of {total} variants."] if len(rows) < total else []
    below += [f"Protocol {protocol}." for protocol in protocols if len(protocols) == 1]
    return "\n\n".join([table(cells), " ".join(below)]).rstrip()


def _verdicts(content: Mapping[str, Any]) -> dict[str, str]:
    """Return each variant's verdict against the baseline, with which pairs begin."""
    if not content["pairs"]:
        return {}
    baseline = content["pairs"][0]["b"]
    verdicts = {pair["a"]: pair["verdict"] for pair in content["pairs"] if pair["b"] == baseline}
    verdicts[baseline] = "baseline"
    for group in content["identical"]:
        known = next((verdicts[name] for name in group if name in verdicts), None)
        if known is not None:
            same = f"same as {spelled(baseline)}" if baseline in group else known
            verdicts = dict.fromkeys(group, same) | verdicts
    return verdicts
