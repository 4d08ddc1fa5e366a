"""The statistics of a study as Markdown sections."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sidebyside.analysis.analyse import Analysis
from sidebyside.config.factors import level_text
from sidebyside.report.text import p_value, paragraph, signed, signed_interval, spelled, table

_NO_TEST = "-"


def answer_text(statements: Sequence[str]) -> str:
    """Return the findings as a list."""
    return "\n".join(f"- {sentence}" for sentence in statements)


def analysis_text(analysis: Analysis) -> str:
    """Return the sections on effects, pairs, equivalence, ensembles, disputed labels."""
    content, named = analysis.content, _Names(analysis.protocols)
    sections = [
        *_effects(content["effects"], analysis.confounded),
        *_identical(content["identical"]),
        *_pairs(content["pairs"], analysis.baseline, content["power"]["pairs"], named),
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
            "new seeds and images": _ends(pair["seeds_and_images"]),
            "over images": _ends(pair["over_images"]),
            "Holm's p": p_value(pair["p_holm"]),
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


def _ends(entry: Mapping[str, Any] | None) -> str:
    return signed_interval(entry["low"], entry["high"]).strip() if entry else _NO_TEST


def _effects(effects: Mapping[str, Any], confounded: bool) -> list[str]:
    if not effects["main"] or confounded:
        return []
    rows = [_effect_row(effect_name(one), one) for one in effects["main"]]
    rows += [_effect_row(interaction_name(one), one) for one in effects["interactions"]]
    rows += [
        _effect_row(f"at {one['given']} {level_text(one['at'])}: {effect_name(one)}", one)
        for one in effects["simple"]
    ]
    text = paragraph("""
        Points of test error, other factors averaged, from one linear model over all runs. Runs with
        the same seed aren't independent, so the seed is what is replicated: 95 % intervals over
        seeds are cluster-robust (CR2, Satterthwaite's degrees of freedom). p values are corrected
        after Holm among main effects, among interactions and among the levels of a simple effect.
        An interaction is a difference of differences; where one is shown, the simple effects say
        what a factor does at each level of the other. No p: the factor was expected to make no
        difference, see "Equivalence".""")
    return ["## What each factor does", text, table(rows)]


def effect_name(one: Mapping[str, Any]) -> str:
    """Return e.g. "kernel_size: 5 minus 3"."""
    return f"{one['factor']}: {level_text(one['level'])} minus {level_text(one['reference'])}"


def interaction_name(one: Mapping[str, Any]) -> str:
    """Return e.g. "kernel_size 5 x dropout false"."""
    (first, second), levels = one["factors"], one["levels"]
    return f"{first} {level_text(levels[0])} x {second} {level_text(levels[1])}"


def _effect_row(name: str, one: Mapping[str, Any]) -> dict[str, str]:
    other = ", ".join(one.get("contradicted_by", []))
    freedom = one["degrees_of_freedom"]
    return {
        "effect": f"{name} (not at each level of {other})" if other else name,
        "difference, points": _interval(one, "difference"),
        "new seeds and images": _ends(one["seeds_and_images"]),
        "df": _NO_TEST if freedom is None else f"{freedom:.1f}",
        "Holm's p": p_value(one["p_holm"]),
    }


def _pairs(
    pairs: Sequence[Mapping[str, Any]], baseline: str, family: int, named: _Names
) -> list[str]:
    against = [pair for pair in pairs if pair["b"] == baseline]
    if not against:
        return []
    rows = [
        {name: cell for name, cell in row.items() if name != "against"}
        for row in pair_rows(sorted(against, key=_difference), named)
    ]
    text = paragraph(f"""
        Test error minus that of `{spelled(baseline)}`, the same seeds paired: mean and 95 %
        interval over seeds (other trainings, the same images), by which the verdict goes; for new
        seeds and new images together; and over images (these networks, other images of the kind).
        "Wins" is the probability that a run has a lower error than one of the baseline. Holm's
        correction takes account of {family} pairs; `comparison.json` has those that were
        compared. Variants that came out bit for bit the same are compared once.""")
    return ["## Against the baseline", text, table(rows)]


def _difference(pair: Mapping[str, Any]) -> float:
    """Return by what to sort a pair: those without a common seed come last."""
    mean = pair["difference"]["mean"]
    return float("inf") if mean is None else float(mean)


def _identical(groups: Sequence[Sequence[str]]) -> list[str]:
    if not groups:
        return []
    text = (
        "These gave the same weights, bit for bit, in every seed: one network under several names."
    )
    names = "\n".join(f"- {' = '.join(spelled(name) for name in group)}" for group in groups)
    return ["## Identical variants", text, names]


def _equivalence(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    if not entries:
        return []
    rows = [
        {
            "factor": entry["factor"],
            "levels": " and ".join(level_text(level) for level in entry["levels"]),
            "pairs of runs": str(entry["pairs"]),
            "bit-identical": str(entry["identical"]),
            "n seeds": str(entry["n"]),
            "difference of the others, points (90 %)": _interval(entry, "difference"),
            "margin": f"{entry['margin']:g}",
            "Holm's p": p_value(entry["p_holm"]),
            "equivalent": "**yes**" if entry["equivalent"] else "not shown",
        }
        for entry in entries
    ]
    text = paragraph("""
        What the study expects to make no difference, between runs that are equal in all else. Pairs
        of runs with the same weights, bit for bit, are counted apart. The differences of the others
        are averaged by seed; two one-sided tests of these means, corrected after Holm, have to show
        that they lie within the margin.""")
    return ["## Equivalence", text, table(rows)]


def _ensembles(ensembles: Mapping[str, Any], named: _Names) -> list[str]:
    several = [one for one in ensembles["variants"] if one["n"] > 1]
    if not several:
        return []
    rows = [
        {
            **named(one["variant"]),
            "networks": str(one["n"]),
            "together %": f"{one['test_error']:.2f}",
            "95 % over images": f"{one['low']:.2f} to {one['high']:.2f}",
            "one of them, mean %": f"{one['mean_of_members']:.2f}",
            "gain, points": _interval(one["gain"]),
        }
        for one in sorted(several, key=lambda one: one["test_error"])
    ]
    text = paragraph("""
        The class with the highest mean probability of a variant's networks, with Wilson's interval,
        and how much less it errs than one of them, with the bootstrap's: both 95 %, over images,
        these networks.""")
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
