"""The statistics of a study as Markdown sections."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sidebyside.analysis import Analysis
from sidebyside.factors import level_text
from sidebyside.text import paragraph, signed, spelled, table

_NO_TEST = "-"


def answer_text(analysis: Analysis) -> str:
    """Return the findings as a list."""
    return "\n".join(f"- {sentence}" for sentence in analysis.content["statements"])


def analysis_text(analysis: Analysis) -> str:
    """Return the sections on effects, pairs, equivalence, ensembles, disputed labels."""
    content, named = analysis.content, _Names(analysis.protocols)
    sections = [
        *_effects(content["effects"], analysis.confounded),
        *_pairs(content["pairs"], analysis.baseline, named),
        *_equivalence(content["equivalence"]),
        *_ensembles(content["ensemble"], named),
        *_floor(content["floor"], named),
    ]
    return "\n\n".join(sections)


class _Names:
    """Variants as cells of a table, with their protocol where there are several."""

    def __init__(self, protocols: Mapping[str, str]) -> None:
        self._protocols = protocols

    def __call__(self, variant: str) -> dict[str, str]:
        cells = {"variant": spelled(variant)}
        if len(set(self._protocols.values())) > 1:
            cells["protocol"] = self._protocols[variant]
        return cells


def pair_rows(
    pairs: Sequence[Mapping[str, Any]],
    cells: Callable[[str], dict[str, str]] = lambda variant: {"variant": spelled(variant)},
) -> list[dict[str, str]]:
    """Return a row per pair of variants; ``cells`` gives those that name the first."""
    return [
        {
            **cells(pair["a"]),
            "against": spelled(pair["b"]),
            "n": str(pair["n"]),
            "difference, points": _interval(pair["difference"]),
            "over images": _interval(pair["over_images"]),
            "Holm's p": _p(pair["p_holm"]),
            "wins": f"{pair['superiority']:.2f}",
            "verdict": f"**{pair['verdict']}**{_more(pair)}",
        }
        for pair in pairs
    ]


def _more(pair: Mapping[str, Any]) -> str:
    seeds = pair["more_seeds"]
    return f"; about {seeds} more seeds would" if seeds else ""


def _interval(entry: Mapping[str, Any] | None, mean: str = "mean") -> str:
    if entry is None or entry[mean] is None:
        return _NO_TEST
    text = signed(entry[mean])
    if entry["low"] is not None:
        text += f" [{signed(entry['low'])}, {signed(entry['high'])}]"
    return text


def _p(value: float | None) -> str:
    return _NO_TEST if value is None else f"{value:.2g}"


def _effects(effects: Mapping[str, Any], confounded: bool) -> list[str]:
    if not effects["main"] or confounded:
        return []
    rows = [
        {
            "effect": f"{one['factor']}: {level_text(one['level'])} minus "
            f"{level_text(one['reference'])}"
        }
        | _effect_cells(one)
        for one in effects["main"]
    ]
    rows += [
        {
            "effect": f"{one['factors'][0]} {level_text(one['levels'][0])} x {one['factors'][1]} "
            f"{level_text(one['levels'][1])}"
        }
        | _effect_cells(one)
        for one in effects["interactions"]
    ]
    text = paragraph("""
        Points of test error, other factors averaged, from one linear model over all runs with the
        seed as a block; 95 % intervals, p values corrected after Holm among main effects and among
        interactions. An interaction is a difference of differences.""")
    if effects["mixed_model_gap"] is not None:
        text += (
            " A mixed model (seed as random block) gives the same main effects within "
            f"{effects['mixed_model_gap']:.4f} points."
        )
    return ["## What each factor does", text, table(rows)]


def _effect_cells(one: Mapping[str, Any]) -> dict[str, str]:
    eta = one["partial_eta_squared"]
    return {
        "difference, points": _interval(one, "difference"),
        "Holm's p": _p(one["p_holm"]),
        "partial eta squared": _NO_TEST if eta is None else f"{eta:.2f}",
    }


def _pairs(pairs: Sequence[Mapping[str, Any]], baseline: str, named: _Names) -> list[str]:
    against = [pair for pair in pairs if pair["b"] == baseline]
    if not against:
        return []
    rows = [
        {name: cell for name, cell in row.items() if name != "against"}
        for row in pair_rows(sorted(against, key=_difference), named)
    ]
    text = paragraph(f"""
        Test error minus that of `{spelled(baseline)}`, the same seeds paired: mean and 95 %
        interval over seeds (other trainings, the same images), and over images (these networks,
        other images of the kind). "Wins" is the probability that a run has a lower error than one
        of the baseline. Holm's correction takes account of all {len(pairs)} pairs, which
        `comparison.json` has.""")
    return ["## Against the baseline", text, table(rows)]


def _difference(pair: Mapping[str, Any]) -> float:
    """Return by what to sort a pair: those without a common seed come last."""
    mean = pair["difference"]["mean"]
    return float("inf") if mean is None else float(mean)


def _equivalence(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    if not entries:
        return []
    rows = [
        {
            "factor": entry["factor"],
            "levels": " and ".join(level_text(level) for level in entry["levels"]),
            "n pairs": str(entry["n"]),
            "difference, points (90 %)": _interval(entry, "difference"),
            "margin": f"{entry['margin']:g}",
            "p": _p(entry["p"]),
            "equivalent": "**yes**" if entry["equivalent"] else "not shown",
        }
        for entry in entries
    ]
    text = paragraph("""
        What the study expects to make no difference: two one-sided tests, whose 90 % interval has
        to lie within the margin, of runs that are equal in all else.""")
    return ["## Equivalence", text, table(rows)]


def _ensembles(ensembles: Sequence[Mapping[str, Any]], named: _Names) -> list[str]:
    several = [one for one in ensembles if one["n"] > 1]
    if not several:
        return []
    rows = [
        {
            **named(one["variant"]),
            "networks": str(one["n"]),
            "together %": f"{one['test_error']:.2f}",
            "95 % over images": f"{one['low']:.2f} to {one['high']:.2f}",
            "one of them, mean %": f"{one['mean_of_members']:.2f}",
        }
        for one in sorted(several, key=lambda one: one["test_error"])
    ]
    text = "The class with the highest mean probability of a variant's networks; Wilson's interval."
    return ["## The networks of a variant together", text, table(rows)]


def _floor(floor: Mapping[str, Any] | None, named: _Names) -> list[str]:
    if floor is None:
        return []
    rows = [
        {
            **named(one["variant"]),
            "all images %": f"{one['with']:.2f}",
            "without disputed %": f"{one['without']:.2f}",
        }
        for one in sorted(floor["variants"], key=lambda one: one["with"])
    ]
    text = f"{floor['images']} test images have labels that human raters dispute."
    return ["## Without disputed labels", text, table(rows)]
