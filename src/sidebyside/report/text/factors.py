"""Sentences on what the factors of a study do."""

from collections.abc import Sequence
from itertools import chain

from sidebyside.config.factors import level_text
from sidebyside.report.text.findings import (
    Entry,
    capital,
    headline,
    is_within,
    more,
    of_interaction,
    of_main_effect,
    of_simple_effect,
    place,
    told_simple_effects,
)
from sidebyside.report.text.numbers import p_value, seeds_text
from sidebyside.report.text.scale import Scale


def of_factors(
    main: Sequence[Entry], effects: Entry, scale: Scale, margin: float | None, by: str = ""
) -> str:
    """Return what the factors do: interactions before, and instead of, averages they contradict.

    Where a ``margin`` is given, a factor is decided too if it makes no difference beyond that.
    ``by`` tells which runs can't tell what isn't told, see `by_common_seeds`.
    """
    told = told_simple_effects(effects)
    if not main or not (told or any(effect["difference"] is not None for effect in main)):
        return ""
    parts = [_of_levels(entries, scale) for entries in told]
    shown = sorted(main, key=lambda effect: -abs(effect["difference"] or 0))
    parts += [text for effect in shown if (text := of_main_effect(effect, scale))]
    known = {entries[0]["factor"] for entries in told}
    known |= {effect["factor"] for effect in main if of_main_effect(effect)}
    left = [effect for effect in main if effect["factor"] not in known]
    unsure = dict.fromkeys(own["factor"] for own in left if not _makes_none(own, margin))
    equal = dict.fromkeys(own["factor"] for own in left if own["factor"] not in unsure)
    if not parts and not equal:
        return f"Of the factors ({', '.join(unsure)}) none is shown to make a difference{by}."
    tested = [own for own in [*main, *chain(*told)] if own["low"] is not None]
    named = headline(tested[0])[1] if tested else ""
    said = [f"{'; '.join(parts)} (95 %, {named})"] if parts else []
    if margin is not None and equal:
        none = [_none([e for e in main if e["factor"] == name]) for name in equal]
        said.append(f"{', '.join(none)} beyond {scale.within(margin)} (95 %, over seeds)")
    if unsure:
        said.append(f"for {', '.join(unsure)} this study can't tell{by}")
    return f"{capital('; '.join(said))}."


def _of_levels(entries: Sequence[Entry], scale: Scale) -> str:
    """Return what a factor does at each level of another, with which it interacts."""
    parts = []
    for entry in entries:
        text = of_simple_effect(entry, scale)
        if text is None:
            apart = f"{level_text(entry['level'])} minus {level_text(entry['reference'])}"
            text = f"{place(entry)} it can't be told ({apart}: {_signed(entry, scale)})"
        parts.append(text)
    return ", ".join(parts)


def _none(entries: Sequence[Entry]) -> str:
    """Return that a factor makes no difference: each of its levels to the first one."""
    name, reference = entries[0]["factor"], level_text(entries[0]["reference"])
    if len(entries) == 1:
        return f"{name} makes no difference"
    return f"no level of {name} makes a difference to {reference}"


def _makes_none(effect: Entry, margin: float | None) -> bool:
    """Whether a factor's interval is within the margin that decides it, if any does."""
    if margin is None or effect["contradicted_by"]:
        return False
    return is_within(effect, margin)


def by_common_seeds(main: Sequence[Entry], pairs: Sequence[Entry]) -> str:
    """Return by which seeds factors are judged, nothing where those are all there are."""
    seeds = min((effect["n"] for effect in main), default=0)
    if all(pair["n"] <= seeds for pair in pairs):
        return ""
    return f" by the {seeds_text(seeds)} that all variants have"


def effect_sentence(effect: Entry, scale: Scale, margin: float | None, by: str = "") -> str:
    """Return what a level does on average, nothing where an interaction contradicts that.

    ``margin`` and ``by`` as in `of_factors`.
    """
    if effect["low"] is None or effect["contradicted_by"]:
        return ""
    if text := of_main_effect(effect, scale):
        return f"{capital(text)} {_shown_by(effect, scale)}."
    level, reference = level_text(effect["level"]), level_text(effect["reference"])
    if margin is not None and _makes_none(effect, margin):
        return (
            f"{capital(effect['factor'])} {level} makes no difference to {reference} beyond "
            f"{scale.within(margin)}: {scale.with_unit(scale.signed(effect['difference']))}"
            f"{scale.interval(effect['low'], effect['high'])} (95 %, over seeds)."
        )
    ends, named = headline(effect)
    return (
        f"Can't tell {effect['factor']} {level} from {reference}{by}: "
        f"{scale.with_unit(scale.signed(effect['difference']))}"
        f"{scale.interval(ends['low'], ends['high'])} (95 %, {named}){more(effect)}."
    )


def _signed(effect: Entry, scale: Scale) -> str:
    ends, _ = headline(effect)
    return f"{scale.signed(effect['difference'])}{scale.interval(ends['low'], ends['high'])}"


def _shown_by(effect: Entry, scale: Scale) -> str:
    """Return what the interval is for, the one over seeds where it is another, and the p value."""
    ends, named = headline(effect)
    text = f"(95 %, {named}"
    if ends is not effect:
        low, high = effect["low"], effect["high"]
        if effect["difference"] < 0:
            low, high = -high, -low
        text += f"; over seeds {scale.bracket(low, high)}"
    return f"{text}; Holm's p {p_value(effect['p_holm'])})"


def interaction_sentence(entry: Entry, scale: Scale) -> str:
    """Return how two factors interact, nothing where that isn't shown."""
    text = of_interaction(entry, scale)
    return f"{capital(text)} {_shown_by(entry, scale)}." if text else ""
