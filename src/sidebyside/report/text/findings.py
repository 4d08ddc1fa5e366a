"""What is found of an effect, an interaction, a pair or an equivalence, in words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sidebyside.config.factors import level_text
from sidebyside.report.text.numbers import counted, seeds_text
from sidebyside.report.text.scale import ERRORS, Scale

SIGNIFICANT = 0.05  # after Holm's correction

Entry = Mapping[str, Any]  # of ``comparison.json``


def is_shown(entry: Entry) -> bool:
    """Whether an effect is shown, as its corrected p value tells."""
    return entry["p_holm"] is not None and entry["p_holm"] < SIGNIFICANT


def is_within(entry: Entry, margin: float) -> bool:
    """Whether the interval of an effect over seeds lies within a margin."""
    return entry["low"] is not None and -margin < entry["low"] and entry["high"] < margin


def is_told(entry: Entry, simple: Sequence[Entry], margin: float) -> bool:
    """Whether it is known what a level does, see `sidebyside.analysis.effects.estimates.Effects`.

    ``simple`` are the effects of levels at those of other factors.
    """
    if is_shown(entry) or not entry["contradicted_by"]:
        return is_shown(entry) or is_within(entry, margin)
    return any(
        is_shown(own)
        and (own["factor"], own["level"]) == (entry["factor"], entry["level"])
        and own["given"] in entry["contradicted_by"]
        for own in simple
    )


def headline(entry: Entry) -> tuple[Entry, str]:
    """Return the interval by which an effect or a pair is told, and what it is for.

    That for new seeds and new images, else the one over seeds: not every metric, and no
    cross-validation, has the former.
    """
    both = entry.get("seeds_and_images")
    if both is not None:
        return both, "new seeds and new images"
    difference = entry["difference"]
    return (difference if isinstance(difference, Mapping) else entry), "over seeds"


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
    than = "lower" if entry["difference"] < 0 else "higher"
    return (
        f"{first} and {second} interact: {first} {level_text(levels[0])} minus "
        f"{level_text(references[0])} is {_apart(entry, entry['difference'], scale)} "
        f"{than} at {second} {level_text(levels[1])} than at {level_text(references[1])}"
        f"{_doubt(entry)}"
    )


def of_equivalence(entry: Entry, scale: Scale = ERRORS) -> str | None:
    """Return e.g. "adam and sgd (optimizer) are equivalent within 0.1 points", or None."""
    if not entry["equivalent"]:
        return None
    if entry["pairs"] == entry["identical"]:
        return f"{both_levels(entry)} give bit-identical networks"
    return f"{both_levels(entry)} are equivalent within {scale.within(entry['margin'])}"


def both_levels(entry: Entry) -> str:
    """Return the levels that an equivalence is of, e.g. "adam and sgd (optimizer)"."""
    a, b = (level_text(level) for level in entry["levels"])
    return f"{a} and {b} ({entry['factor']})"


def minus(entry: Entry) -> str:
    """Return which difference an equivalence is about, e.g. "sgd minus adam"."""
    a, b = (level_text(level) for level in entry["levels"])
    return f"{b} minus {a}"


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
    by = _apart(entry, entry["difference"]["mean"], scale)
    text = f"{a} is {verdict} than {b} by {by}{_doubt(entry)}"
    return f"{text} (95 %, {headline(entry)[1]}, n={seeds})"


def told_simple_effects(effects: Entry) -> list[list[Entry]]:
    """Return what factors do at each level of another, where an interaction with it is shown.

    Of an interaction's factors that is the one that makes the larger difference somewhere, and the
    other where its main effect tells nothing, unless it was expected to; neither that isn't shown
    to make one at some level. A factor is told once, by the interaction in which it does most;
    levels where a difference is shown are first. A level of which the design tells no average is
    told so too.
    """
    untold = {
        entry["factor"]
        for entry in effects["main"]
        if (entry["p_holm"] is not None or entry["low"] is None) and of_main_effect(entry) is None
    }
    told: dict[tuple[str, str], list[Entry]] = {}
    for entry in effects["interactions"]:
        if is_shown(entry):
            both = [_by_level(effects["simple"], entry, own) for own in (0, 1)]
            ways = [by_level for by_level in both if any(map(is_shown, by_level))]
            ways.sort(key=_most, reverse=True)
            for way in [*ways[:1], *(own for own in ways[1:] if own[0]["factor"] in untold)]:
                named = way[0]["factor"], level_text(way[0]["level"])
                if named not in told or _most(told[named]) < _most(way):
                    told[named] = sorted(way, key=lambda own: not is_shown(own))
    for way in _without_average(effects):
        told.setdefault((way[0]["factor"], level_text(way[0]["level"])), way)
    return list(told.values())


def _without_average(effects: Entry) -> Iterator[list[Entry]]:
    """Yield what levels do at those of one other factor, of which no average can be told."""
    for entry in effects["main"]:
        if entry["difference"] is not None:
            continue
        by_given: dict[str, list[Entry]] = {}
        for own in effects["simple"]:
            same = own["factor"] == entry["factor"] and own["level"] == entry["level"]
            if same and own["difference"] is not None:
                by_given.setdefault(own["given"], []).append(own)
        if ways := [way for way in by_given.values() if any(map(is_shown, way))]:
            ways.sort(key=_most, reverse=True)
            yield sorted(ways[0], key=lambda own: not is_shown(own))


def _most(by_level: Sequence[Entry]) -> float:
    """Return the largest difference that a factor makes at a level of another."""
    return max(abs(entry["difference"]) for entry in by_level)


def _by_level(simple: Sequence[Entry], interaction: Entry, own: int) -> list[Entry]:
    factor, given = interaction["factors"][own], interaction["factors"][1 - own]
    level = interaction["levels"][own]
    return [
        entry
        for entry in simple
        if (entry["factor"], entry["level"], entry["given"]) == (factor, level, given)
        and entry["difference"] is not None
    ]


def _which_is_better(entry: Entry, scale: Scale) -> str:
    level, reference = level_text(entry["level"]), level_text(entry["reference"])
    if scale.metric.worsens(entry["difference"]):
        level, reference = reference, level
    by = _apart(entry, entry["difference"], scale)
    return f"{entry['factor']} {level} is better than {reference} by {by}{_doubt(entry)}"


def _apart(entry: Entry, difference: float, scale: Scale) -> str:
    """Return how large a difference is that is shown, with the interval that is told."""
    ends, _ = headline(entry)
    low, high = (ends["low"], ends["high"]) if difference > 0 else (-ends["high"], -ends["low"])
    return f"{scale.apart(abs(difference))} {scale.bracket(low, high)}"


def _doubt(entry: Entry) -> str:
    """Return that what is shown on the test images isn't on others, where it isn't."""
    new = entry.get("seeds_and_images")
    return ", perhaps none on new images" if new and new["low"] < 0 < new["high"] else ""


def place(entry: Entry) -> str:
    """Return where a simple effect is, e.g. "at optimizer adam"."""
    return f"at {entry['given']} {level_text(entry['at'])}"


def capital(text: str) -> str:
    """Return a sentence's text with its first letter as it begins one."""
    return text[0].upper() + text[1:]


def more(entry: Entry) -> str:
    """Return how many more seeds would show it, nothing where that isn't known."""
    seeds = entry["more_seeds"]
    return f"; about {counted(seeds, 'more seed')} would at the difference seen" if seeds else ""
