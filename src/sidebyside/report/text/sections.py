"""The statistics of a study as Markdown sections."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from sidebyside.analysis.analyse import Analysis
from sidebyside.config.factors import level_text
from sidebyside.config.protocols import FOLDS
from sidebyside.report.text.asked import of_asked
from sidebyside.report.text.findings import Entry, minus, place
from sidebyside.report.text.markdown import Row, Strong, paragraph, table
from sidebyside.report.text.numbers import counted, fixed, p_value, spelled
from sidebyside.report.text.scale import ERRORS, Scale


def analysis_text(analysis: Analysis) -> str:
    """Return the sections on effects, pairs, equivalence, ensembles, disputed labels."""
    content, named = analysis.content, _Names(analysis.protocols)
    scale = Scale(analysis.metric)
    sections = [
        *_effects(analysis, scale),
        *_identical(content["identical"], content["other_groups"]),
        *_pairs(analysis, named, scale),
        *_equivalence(content["equivalence"], scale),
        *_smaller(content["no_worse"], scale),
        *_ensembles(content, named, scale),
        *_floor(content["floor"], named, scale),
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
    scale: Scale = ERRORS,
) -> list[Row]:
    """Return a row per pair of variants; ``cells`` gives those that name the first."""
    return [
        {
            **cells(pair["a"]),
            "against": spelled(pair["b"]),
            "n": str(pair["n"]),
            scale.differences: scale.signed(pair["difference"]["mean"]),
            "new seeds and images": _ends(pair["seeds_and_images"], scale),
            "over seeds": _ends(pair["difference"], scale),
            "over images": _ends(pair["over_images"], scale),
            "Holm's p": p_value(pair["p_holm"]),
            "wins": f"{pair['superiority']:.2f}",
            "verdict": Strong(pair["verdict"], _more(pair)),
        }
        for pair in pairs
    ]


def _more(pair: Entry) -> str:
    seeds = pair["more_seeds"]
    return f"; about {counted(seeds, 'more seed')} would" if seeds else ""


def _ends(entry: Entry | None, scale: Scale) -> str:
    text = scale.interval(entry["low"], entry["high"]) if entry else ""
    return text.strip() or "-"


def _effects(analysis: Analysis, scale: Scale) -> list[str]:
    effects = analysis.effects
    if not effects["main"]:
        return []
    rows = main_effect_rows(effects["main"], scale)
    rows += [
        _effect_row(_interaction_name(entry), entry, scale) for entry in effects["interactions"]
    ]
    rows += [
        _effect_row(f"{place(effect)}: {_effect_name(effect)}", effect, scale)
        for effect in effects["simple"]
    ]
    replicated = """
        Runs with the same seed aren't independent, so the seed is what is replicated: 95 %
        intervals over seeds are cluster-robust (CR2, Satterthwaite's degrees of freedom)."""
    if analysis.independent:
        replicated = """
            Each run has a seed of its own, so runs are independent: 95 % intervals over seeds are
            robust to variances that differ (HC2, Satterthwaite's degrees of freedom)."""
    text = paragraph(f"""
        {scale.apart_subject}, other factors averaged, from one linear model over all runs.
        {replicated} p values are
        corrected after Holm among main effects, among interactions and among the levels of a simple
        effect. An interaction is a difference of differences; where one is shown, the simple
        effects say what a factor does at each level of the other. No p: the factor was expected to
        make no difference, see "Equivalence".""")
    return ["## What each factor does", text, table(rows)]


def main_effect_rows(main: Sequence[Entry], scale: Scale = ERRORS) -> list[Row]:
    """Return a row per level of a factor but its first: what it does on average."""
    return [_effect_row(_effect_name(effect), effect, scale) for effect in main]


def _effect_name(effect: Entry) -> str:
    """Return e.g. "kernel_size: 5 minus 3"."""
    level, reference = level_text(effect["level"]), level_text(effect["reference"])
    return f"{effect['factor']}: {level} minus {reference}"


def _interaction_name(entry: Entry) -> str:
    """Return e.g. "kernel_size 5 x dropout false"."""
    (first, second), levels = entry["factors"], entry["levels"]
    return f"{first} {level_text(levels[0])} x {second} {level_text(levels[1])}"


def _effect_row(name: str, entry: Entry, scale: Scale) -> Row:
    other = ", ".join(entry.get("contradicted_by", []))
    return {
        "effect": f"{name} (not at each level of {other})" if other else name,
        scale.differences: scale.signed(entry["difference"]),
        "new seeds and images": _ends(entry["seeds_and_images"], scale),
        "over seeds": _ends(entry, scale),
        "df": fixed(entry["degrees_of_freedom"], 1),
        "Holm's p": p_value(entry["p_holm"]),
    }


def _pairs(analysis: Analysis, named: _Names, scale: Scale) -> list[str]:
    pairs, baseline = analysis.content["pairs"], analysis.baseline
    family = analysis.content["power"]["pairs"]
    against = [pair for pair in pairs if pair["b"] == baseline]
    if not against:
        return []
    rows = [
        {name: cell for name, cell in row.items() if name != "against"}
        for row in pair_rows(sorted(against, key=partial(_difference, scale)), named, scale)
    ]
    intervals = """
        intervals for new seeds and new images together; over seeds (other trainings, the same
        images), by which the verdict goes; and over images (these networks, other images of the
        kind).
        """
    if all(protocol in FOLDS for protocol in analysis.protocols.values()):
        intervals = "interval over seeds, corrected for folds, by which the verdict goes."
    paired = "the same seeds paired"
    if analysis.independent:
        paired = "runs of the same number paired, each with a seed of its own"
    text = paragraph(f"""
        {scale.title} minus that of `{spelled(baseline)}`, {paired}: mean and 95 %
        {intervals}
        "Wins" is the probability that a run has a {scale.better} {scale.metric.label} than one of
        the baseline. Holm's
        correction takes account of {counted(family, "pair")}; `comparison.json` has those that were
        compared. Variants that came out bit for bit the same are compared once.""")
    return ["## Against the baseline", text, table(rows), *_beside(analysis, named, scale)]


def _beside(analysis: Analysis, named: _Names, scale: Scale) -> list[str]:
    """Return the other pairs of a study of many variants, those that it names first."""
    content = analysis.content
    others = [pair for pair in content["pairs"] if pair.get("asked") in ("named", "neighbours")]
    if not others:
        return []
    rows = pair_rows(sorted(others, key=lambda pair: pair["asked"]), named, scale)
    return ["## Pairs that were named, and neighbours", of_asked(content["asked"]), table(rows)]


def _difference(scale: Scale, pair: Entry) -> float:
    """Return by what to sort a pair: those without a common seed come last."""
    mean = pair["difference"]["mean"]
    return float("inf") if mean is None else scale.metric.rank(float(mean))


def _identical(groups: Sequence[Sequence[str]], others: int) -> list[str]:
    if not groups and not others:
        return []
    text = (
        "These gave the same weights, bit for bit, in every common seed: one network under several "
        "names."
    )
    names = "\n".join(f"- {' = '.join(spelled(name) for name in group)}" for group in groups)
    more = f"Of {counted(others, 'other group')} of identical variants none is shown."
    told = [*([text, names] if groups else []), *([more] if others else [])]
    return ["## Identical variants", *told]


def _not_shown(entry: Entry) -> str:
    others = ", ".join(entry["contradicted_by"])
    return f"not shown at each level of {others}" if others else "not shown"


def _equivalence(entries: Sequence[Entry], scale: Scale) -> list[str]:
    if not entries:
        return []
    rows = [
        {
            "factor": entry["factor"],
            "levels": minus(entry),
            "pairs of runs": str(entry["pairs"]),
            "bit-identical": str(entry["identical"]),
            "n seeds": str(entry["n"]),
            f"{scale.apart_column('difference of the others')} (90 %)": scale.estimate(
                entry, "difference"
            ),
            "margin": f"{entry['margin']:g}",
            "Holm's p": p_value(entry["p_holm"]),
            "equivalent": Strong("yes") if entry["equivalent"] else _not_shown(entry),
        }
        for entry in entries
    ]
    text = paragraph("""
        What the study expects to make no difference, between runs that are equal in all else. Pairs
        of runs with the same weights, bit for bit, are counted apart. The differences of the others
        are averaged by seed; two one-sided tests of these means, corrected after Holm, have to show
        that they lie within the margin.""")
    return ["## Equivalence", text, table(rows)]


def smaller_rows(entries: Sequence[Entry], scale: Scale) -> list[Row]:
    """Return a row for each smaller variant that was held against the baseline."""
    return [
        {
            "variant": spelled(entry["smaller"]),
            "parameters": f"{entry['sizes'][0]['parameters']:,}",
            "multiply-adds": _count(entry["sizes"][0]["multiply_adds"]),
            "n": str(entry["n"]),
            scale.differences: scale.signed(entry["difference"]),
            "at worst (95 %)": scale.signed(entry["worst"]),
            "Holm's p": p_value(entry["p_holm"]),
            "no worse": Strong("yes") if entry["shown"] else "not shown",
        }
        for entry in sorted(entries, key=lambda entry: entry["sizes"][0]["parameters"])
    ]


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def _smaller(entries: Sequence[Entry], scale: Scale) -> list[str]:
    if not entries:
        return []
    larger, size = entries[0]["larger"], entries[0]["sizes"][1]
    text = paragraph(f"""
        Variants that have fewer parameters or multiply-adds per image than the baseline
        `{spelled(larger)}` ({size["parameters"]:,} and {_count(size["multiply_adds"])}), and no
        more of either. A one-sided test of the paired differences (half of the tests of
        equivalence), corrected after Holm, has to show that the smaller one isn't worse by
        {scale.within(entries[0]["margin"])} or more.""")
    return ["## Smaller and no worse", text, table(smaller_rows(entries, scale))]


def _ensembles(content: Entry, named: _Names, scale: Scale) -> list[str]:
    several = [ensemble for ensemble in content["ensemble"]["variants"] if ensemble["n"] > 1]
    if not several:
        return []
    rows = [
        {
            **named(ensemble["variant"]),
            "networks": str(ensemble["n"]),
            scale.column("together"): scale.fixed(ensemble[scale.metric.name]),
            "95 % over images": scale.ends(ensemble),
            scale.column("one of them, mean"): scale.fixed(ensemble["mean_of_members"]),
            scale.apart_column("gain"): scale.estimate(ensemble["gain"]),
        }
        for ensemble in sorted(several, key=partial(_by_rank, scale, scale.metric.name))
    ]
    runs = {variant["name"]: variant["n"] for variant in content["variants"]}
    text = paragraph(scale.of_ensembles)
    if any(ensemble["n"] < runs[ensemble["variant"]] for ensemble in several):
        text += (
            " Seeds that were trained in another piece of the study aren't among them, as their "
            "probabilities aren't kept together."
        )
    return ["## The networks of a variant together", text, table(rows)]


def _floor(floor: Entry | None, named: _Names, scale: Scale) -> list[str]:
    if floor is None:
        return []
    rows = [
        {
            **named(means["variant"]),
            scale.column("all images"): scale.fixed(means["with"]),
            scale.column("without disputed"): scale.fixed(means["without"]),
        }
        for means in sorted(floor["variants"], key=partial(_by_rank, scale, "with"))
    ]
    text = f"{floor['images']} test images have labels that human raters dispute."
    return ["## Without disputed labels", text, table(rows)]


def _by_rank(scale: Scale, name: str, entry: Entry) -> float:
    return scale.metric.rank(entry[name])
