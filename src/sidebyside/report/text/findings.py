"""What is found of an effect, an interaction, a pair or an equivalence, in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from sidebyside.config.factors import level_text
from sidebyside.report.text.numbers import seeds_text
from sidebyside.report.text.scale import ERRORS, Scale

SIGNIFICANT = 0.05  # after Holm's correction

Entry = Mapping[str, Any]  # of ``comparison.json``


def is_shown(entry: Entry) -> bool:
    """Whether an effect is shown, as its corrected p value tells."""
    return entry["p_holm"] is not None and entry["p_holm"] < SIGNIFICANT


def of_main_effect(entry: Entry, scale: Scale = ERRORS) -> str | None:
    """Return e.g. "kernel_size 5 is better than 3 by 0.21 points [0.10, 0.32]".

    None where nothing is shown, and where an interaction contradicts it: an average that doesn't
    hold at each level of another factor is no finding.
    """
    if not is_shown(entry) or entry["contradicted_by"]:
        return None
    return _which_is_better(entry, scale)


def of_simple_effect(entry: Entry, scale: Scale = ERRORS) -> str | None:
    """Return e.g. "at optimizer adam, dropout true is better than false by ...", or None."""
    if not is_shown(entry):
        return None
    return f"{place(entry)}, {_which_is_better(entry, scale)}"


def of_interaction(entry: Entry, scale: Scale = ERRORS) -> str | None:
    """Return what an interaction claims, None where it isn't shown."""
    if not is_shown(entry):
        return None
    (first, second), levels, references = entry["factors"], entry["levels"], entry["references"]
    difference, low, high, than = entry["difference"], entry["low"], entry["high"], "larger"
    if difference < 0:
        difference, low, high, than = -difference, -high, -low, "smaller"
    return (
        f"{first} and {second} interact: the difference between {first} {level_text(levels[0])} "
        f"and {level_text(references[0])} is {scale.apart(difference)} {scale.bracket(low, high)} "
        f"{than} at {second} {level_text(levels[1])} than at {level_text(references[1])}"
    )


def of_equivalence(entry: Entry, scale: Scale = ERRORS) -> str | None:
    """Return e.g. "adam and sgd are equivalent within 0.1 points", None where it isn't shown."""
    if not entry["equivalent"]:
        return None
    a, b = (level_text(level) for level in entry["levels"])
    if entry["pairs"] == entry["identical"]:
        return f"{a} and {b} give bit-identical networks"
    return f"{a} and {b} are equivalent within {scale.within(entry['margin'])}"


def of_pair(entry: Entry, scale: Scale = ERRORS) -> str:
    """Return what is found of two variants."""
    a, b, n, verdict = entry["a"], entry["b"], entry["n"], entry["verdict"]
    seeds = f"{n} independent seeds" if "seeds" in entry else seeds_text(n)
    if verdict == "identical":
        return f"{a} and {b} gave bit-identical networks ({seeds})"
    if verdict == "equivalent":
        return f"{a} and {b} are equivalent within {scale.within(entry['margin'])}"
    if verdict == "can't tell":
        return f"Can't tell {a} from {b} with {seeds}{more(entry)}"
    ends = entry["difference"]
    sign = -1 if scale.metric.higher_is_better == (verdict == "worse") else 1
    mean, *interval = (sign * ends[name] for name in ("mean", "low", "high"))
    return (
        f"{a} is {verdict} than {b} by {scale.apart(mean)} "
        f"{scale.bracket(min(interval), max(interval))} (n={seeds})"
    )


def told_simple_effects(effects: Entry) -> list[list[Entry]]:
    """Return, for each interaction that is shown, what one of its factors does at each level.

    Of the two factors the one that makes the larger difference somewhere.
    """
    told: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in effects["interactions"]:
        if is_shown(entry):
            ways = [_by_level(effects["simple"], entry, own) for own in (0, 1)]
            way = max(ways, key=lambda by_level: max(abs(e["difference"]) for e in by_level))
            told[way[0]["factor"], level_text(way[0]["level"]), way[0]["given"]] = way
    return list(told.values())


def _by_level(simple: Sequence[Entry], interaction: Entry, own: int) -> list[Entry]:
    factor, given = interaction["factors"][own], interaction["factors"][1 - own]
    level = interaction["levels"][own]
    return [
        entry
        for entry in simple
        if (entry["factor"], entry["level"], entry["given"]) == (factor, level, given)
    ]


def _which_is_better(entry: Entry, scale: Scale) -> str:
    level, reference = level_text(entry["level"]), level_text(entry["reference"])
    difference, low, high = entry["difference"], entry["low"], entry["high"]
    if scale.metric.worsens(difference):
        level, reference = reference, level
    if difference <= 0:
        low, high = -high, -low
    return (
        f"{entry['factor']} {level} is better than {reference} by {scale.apart(abs(difference))} "
        f"{scale.bracket(low, high)}"
    )


def place(entry: Entry) -> str:
    """Return where a simple effect is, e.g. "at optimizer adam"."""
    return f"at {entry['given']} {level_text(entry['at'])}"


def more(entry: Entry) -> str:
    """Return how many more seeds would show it, nothing where that isn't known."""
    seeds = entry["more_seeds"]
    return f"; about {seeds} more seeds would at the difference seen" if seeds else ""
