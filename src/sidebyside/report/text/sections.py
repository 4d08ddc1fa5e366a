"""The statistics of a study as Markdown sections."""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter

from sidebyside.analysis.analyse import Analysis
from sidebyside.config.factors import level_text
from sidebyside.config.protocols import FOLDS
from sidebyside.report.text.findings import Entry, place
from sidebyside.report.text.numbers import fixed, p_value, signed_estimate, signed_interval, spelled
from sidebyside.report.text.tables import Row, Strong, paragraph, table


def analysis_text(analysis: Analysis) -> str:
    """Return the sections on effects, pairs, equivalence, ensembles, disputed labels."""
    content, named = analysis.content, _Names(analysis.protocols)
    sections = [
        *_effects(analysis.effects),
        *_identical(content["identical"]),
        *_pairs(analysis, named),
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
    pairs: Sequence[Entry],
    cells: Callable[[str], dict[str, str]] = lambda variant: {"variant": spelled(variant)},
) -> list[Row]:
    """Return a row per pair of variants; ``cells`` gives those that name the first."""
    return [
        {
            **cells(pair["a"]),
            "against": spelled(pair["b"]),
            "n": str(pair["n"]),
            "difference, points": signed_estimate(pair["difference"]),
            "new seeds and images": _ends(pair["seeds_and_images"]),
            "over images": _ends(pair["over_images"]),
            "Holm's p": p_value(pair["p_holm"]),
            "wins": f"{pair['superiority']:.2f}",
            "verdict": Strong(pair["verdict"], _more(pair)),
        }
        for pair in pairs
    ]


def _more(pair: Entry) -> str:
    seeds = pair["more_seeds"]
    return f"; about {seeds} more seeds would" if seeds else ""


def _ends(entry: Entry | None) -> str:
    return signed_interval(entry["low"], entry["high"]).strip() if entry else "-"


def _effects(effects: Entry) -> list[str]:
    if not effects["main"]:
        return []
    rows = [_effect_row(_effect_name(effect), effect) for effect in effects["main"]]
    rows += [_effect_row(_interaction_name(entry), entry) for entry in effects["interactions"]]
    rows += [
        _effect_row(f"{place(effect)}: {_effect_name(effect)}", effect)
        for effect in effects["simple"]
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


def _effect_name(effect: Entry) -> str:
    """Return e.g. "kernel_size: 5 minus 3"."""
    level, reference = level_text(effect["level"]), level_text(effect["reference"])
    return f"{effect['factor']}: {level} minus {reference}"


def _interaction_name(entry: Entry) -> str:
    """Return e.g. "kernel_size 5 x dropout false"."""
    (first, second), levels = entry["factors"], entry["levels"]
    return f"{first} {level_text(levels[0])} x {second} {level_text(levels[1])}"


def _effect_row(name: str, entry: Entry) -> Row:
    other = ", ".join(entry.get("contradicted_by", []))
    return {
        "effect": f"{name} (not at each level of {other})" if other else name,
        "difference, points": signed_estimate(entry, "difference"),
        "new seeds and images": _ends(entry["seeds_and_images"]),
        "df": fixed(entry["degrees_of_freedom"], 1),
        "Holm's p": p_value(entry["p_holm"]),
    }


def _pairs(analysis: Analysis, named: _Names) -> list[str]:
    pairs, baseline = analysis.content["pairs"], analysis.baseline
    family = analysis.content["power"]["pairs"]
    against = [pair for pair in pairs if pair["b"] == baseline]
    if not against:
        return []
    rows = [
        {name: cell for name, cell in row.items() if name != "against"}
        for row in pair_rows(sorted(against, key=_difference), named)
    ]
    intervals = """
        interval over seeds (other trainings, the same images), by which the verdict goes; for new
        seeds and new images together; and over images (these networks, other images of the kind).
        """
    if all(protocol in FOLDS for protocol in analysis.protocols.values()):
        intervals = "interval over seeds, corrected for folds, by which the verdict goes."
    text = paragraph(f"""
        Test error minus that of `{spelled(baseline)}`, the same seeds paired: mean and 95 %
        {intervals}
        "Wins" is the probability that a run has a lower error than one of the baseline. Holm's
        correction takes account of {family} pairs; `comparison.json` has those that were
        compared. Variants that came out bit for bit the same are compared once.""")
    return ["## Against the baseline", text, table(rows)]


def _difference(pair: Entry) -> float:
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


def _equivalence(entries: Sequence[Entry]) -> list[str]:
    if not entries:
        return []
    rows = [
        {
            "factor": entry["factor"],
            "levels": " and ".join(level_text(level) for level in entry["levels"]),
            "pairs of runs": str(entry["pairs"]),
            "bit-identical": str(entry["identical"]),
            "n seeds": str(entry["n"]),
            "difference of the others, points (90 %)": signed_estimate(entry, "difference"),
            "margin": f"{entry['margin']:g}",
            "Holm's p": p_value(entry["p_holm"]),
            "equivalent": Strong("yes") if entry["equivalent"] else "not shown",
        }
        for entry in entries
    ]
    text = paragraph("""
        What the study expects to make no difference, between runs that are equal in all else. Pairs
        of runs with the same weights, bit for bit, are counted apart. The differences of the others
        are averaged by seed; two one-sided tests of these means, corrected after Holm, have to show
        that they lie within the margin.""")
    return ["## Equivalence", text, table(rows)]


def _ensembles(ensembles: Entry, named: _Names) -> list[str]:
    several = [ensemble for ensemble in ensembles["variants"] if ensemble["n"] > 1]
    if not several:
        return []
    rows = [
        {
            **named(ensemble["variant"]),
            "networks": str(ensemble["n"]),
            "together %": f"{ensemble['test_error']:.2f}",
            "95 % over images": f"{ensemble['low']:.2f} to {ensemble['high']:.2f}",
            "one of them, mean %": f"{ensemble['mean_of_members']:.2f}",
            "gain, points": signed_estimate(ensemble["gain"]),
        }
        for ensemble in sorted(several, key=itemgetter("test_error"))
    ]
    text = paragraph("""
        The class with the highest mean probability of a variant's networks, with Wilson's interval,
        and how much less it errs than one of them, with the bootstrap's: both 95 %, over images,
        these networks.""")
    return ["## The networks of a variant together", text, table(rows)]


def _floor(floor: Entry | None, named: _Names) -> list[str]:
    if floor is None:
        return []
    rows = [
        {
            **named(errors["variant"]),
            "all images %": f"{errors['with']:.2f}",
            "without disputed %": f"{errors['without']:.2f}",
        }
        for errors in sorted(floor["variants"], key=itemgetter("with"))
    ]
    text = f"{floor['images']} test images have labels that human raters dispute."
    return ["## Without disputed labels", text, table(rows)]
