"""Every sentence on what a study shows, made from its decisions: the numbers of the report."""

from collections.abc import Sequence

from sidebyside.analysis.analyse import Analysis
from sidebyside.config.factors import level_text
from sidebyside.report.text.findings import (
    Entry,
    more,
    of_equivalence,
    of_interaction,
    of_main_effect,
    of_simple_effect,
    place,
    told_simple_effects,
)
from sidebyside.report.text.numbers import (
    p_value,
    percentage,
    seeds_text,
    signed,
    signed_interval,
    spelled,
)


def statements(analysis: Analysis) -> list[str]:
    """Return the sentences that open a report, the three most important first."""
    content, effects, main = analysis.content, analysis.effects, analysis.main_effects
    sentences = [
        _of_protocols(list(dict.fromkeys(analysis.protocols.values()))),
        _of_choice(content),
        _of_factors(main, effects),
        *(_of_equivalence(entry) for entry in content["equivalence"]),
        _of_smaller(content["no_worse"]),
        _of_identical(content["identical"]),
        _of_power(content["power"]),
        *(_of_effect(effect) for effect in main),
        *(_of_interaction(entry) for entry in effects["interactions"]),
        _of_ensembles(content["ensemble"]),
        _of_floor(content["floor"]),
    ]
    return [sentence for sentence in sentences if sentence]


def _of_protocols(protocols: Sequence[str]) -> str:
    if len(protocols) == 1:
        return ""
    return (
        f"Runs follow different protocols ({', '.join(protocols)}), so what tells variants apart "
        "may be their protocol."
    )


def _of_choice(content: Entry) -> str:
    chosen = content["selection"]
    if chosen is None:
        return ""
    text = (
        f"Chosen by validation error, {spelled(chosen['chosen'])} is best, with a test error of "
        f"{percentage(chosen['test_error'])}{_of_new(chosen['seeds_and_images'])}"
    )
    against = [pair for pair in content["pairs"] if chosen["chosen"] in (pair["a"], pair["b"])]
    worse = sum(_beaten(pair, chosen["chosen"]) for pair in against)
    if against:
        text += f"; it is shown to be better than {worse} of the {len(against)} others"
        text += _of_bias(chosen)
    if chosen["flattery"] > 0:
        text += (
            f". Choosing by test error would have shown {percentage(chosen['lowest_test_error'])} "
            f"({spelled(chosen['lowest_test'])}), which flatters by {chosen['flattery']:.2f} points"
        )
    return text + "."


def _of_new(ends: Entry | None) -> str:
    if ends is None:
        return ""
    return f" [{ends['low']:.2f}, {ends['high']:.2f}] (95 %, new seeds and new images)"


def _of_bias(chosen: Entry) -> str:
    honest = chosen["corrected"]
    if honest is None:
        return ""
    return (
        f". Corrected for the choice it is {percentage(honest['mean'])} [{honest['low']:.2f}, "
        f"{honest['high']:.2f}] (95 %, new seeds)"
    )


def _beaten(pair: Entry, winner: str) -> bool:
    return bool(pair["verdict"] == ("better" if pair["a"] == winner else "worse"))


def _of_factors(main: Sequence[Entry], effects: Entry) -> str:
    """Return what the factors do: interactions before, and instead of, averages they contradict."""
    if not main:
        return ""
    told = told_simple_effects(effects)
    parts = [_of_levels(entries) for entries in told]
    shown = sorted(main, key=lambda effect: -abs(effect["difference"] or 0))
    parts += [text for effect in shown if (text := of_main_effect(effect))]
    known = {entries[0]["factor"] for entries in told}
    known |= {effect["factor"] for effect in main if of_main_effect(effect)}
    rest = ", ".join(dict.fromkeys(e["factor"] for e in main if e["factor"] not in known))
    if not parts:
        return f"Of the factors ({rest}) none is shown to make a difference."
    if rest:
        parts.append(f"for {rest} this study can't tell")
    return f"{_capital('; '.join(parts))}."


def _of_levels(entries: Sequence[Entry]) -> str:
    """Return what a factor does at each level of another, with which it interacts."""
    parts = []
    for entry in entries:
        text = of_simple_effect(entry)
        if text is None:
            apart = f"{level_text(entry['level'])} minus {level_text(entry['reference'])}"
            text = (
                f"{place(entry)} it can't be told ({apart}: {signed(entry['difference'])}"
                f"{signed_interval(entry['low'], entry['high'])})"
            )
        parts.append(text)
    return ", ".join(parts)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _of_equivalence(entry: Entry) -> str:
    a, b = (level_text(level) for level in entry["levels"])
    text = of_equivalence(entry)
    if text is None and entry["low"] is None:
        return f"Whether {a} and {b} are equivalent can't be told from {seeds_text(entry['n'])}."
    if text is None:
        text = f"{a} and {b} aren't shown to be equivalent within {entry['margin']:g} points"
    text += _of_difference(entry)
    if exact := entry["exact"]:
        text += (
            f"; the same weights in both layouts change {exact['flips']} of {exact['images']} "
            f"predictions, and no logit by more than {max(exact['largest_difference'], 1e-6):.6f}"
        )
    return text + "."


def _of_difference(entry: Entry) -> str:
    pairs, identical = entry["pairs"], entry["identical"]
    if identical == pairs:
        return f" ({pairs} pairs of runs)"
    interval = signed_interval(entry["low"], entry["high"])
    text = f" (difference {signed(entry['difference'])}{interval}, 90 %, n={seeds_text(entry['n'])}"
    if identical:
        text += f", over the {pairs - identical} of {pairs} pairs of runs that aren't bit-identical"
    return f"{text})"


def _of_identical(groups: Sequence[Sequence[str]]) -> str:
    if not groups:
        return ""
    names = sum(map(len, groups))
    return (
        f"{names} variants are {len(groups)} network{'s' * (len(groups) != 1)} under several names "
        "(the same weights, bit for bit, in every seed): each is held against the others once."
    )


def _of_smaller(entries: Sequence[Entry]) -> str:
    """Return which is the smallest network that is shown to be no worse than the baseline."""
    shown = [entry for entry in entries if entry["shown"]]
    if not shown:
        return ""
    entry = min(shown, key=lambda entry: entry["sizes"][0]["parameters"])
    ours, theirs = entry["sizes"]
    costs = f"{ours['parameters']:,} parameters against {theirs['parameters']:,}"
    if ours["multiply_adds"] and theirs["multiply_adds"]:
        costs += f", {ours['multiply_adds']:,} multiply-adds an image against "
        costs += f"{theirs['multiply_adds']:,}"
    return (
        f"Of the variants that are smaller than {spelled(entry['larger'])}, "
        f"{spelled(entry['smaller'])} is the smallest that is no worse, within "
        f"{entry['margin']:g} points ({costs}; error {signed(entry['difference'])}, "
        f"at most {signed(entry['high'])}, one-sided 95 %, Holm's p {p_value(entry['p_holm'])})."
    )


def _of_power(power: Entry) -> str:
    if power["pairs"] == 0:
        return ""
    if power["smallest_difference"] is None:
        return (
            f"With {seeds_text(power['n'])} in common no difference between two variants can be "
            "tested: three are the fewest."
        )
    spread = f"{power['sd']:.2f} points"
    if power["sd_low"] is not None:
        spread += f" [{power['sd_low']:.2f}, {power['sd_high']:.2f}]"
    needed = [f"{seeds} for {points}" for points, seeds in power["seeds_for"].items() if seeds]
    return (
        f"With n={seeds_text(power['n'])}, a difference of {power['smallest_difference']:.2f} "
        "points between two variants is shown four times in five (by the verdicts' test: paired "
        f"by seed, Holm over {power['pairs']} pair{'s' * (power['pairs'] != 1)}; a difference has "
        f"an sd of {spread} over seeds)"
        f"{'; seeds needed: ' if needed else ''}{' and '.join(needed)}"
        f"{' points' if needed else ''}."
    )


def _of_effect(effect: Entry) -> str:
    if effect["low"] is None or effect["contradicted_by"]:
        return ""
    if text := of_main_effect(effect):
        return f"{_capital(text)} (Holm's p {p_value(effect['p_holm'])}{_on_new_images(effect)})."
    level, reference = level_text(effect["level"]), level_text(effect["reference"])
    return (
        f"Can't tell {effect['factor']} {level} from {reference}: {signed(effect['difference'])} "
        f"points{signed_interval(effect['low'], effect['high'])}"
        f"{more(effect)}."
    )


def _on_new_images(effect: Entry) -> str:
    both = effect["seeds_and_images"]
    if both is None:
        return ""
    if both["low"] < 0 < both["high"]:
        return "; on new images there may be none"
    low, high = sorted(abs(end) for end in both.values())
    return f"; with new images too [{low:.2f}, {high:.2f}]"


def _of_interaction(entry: Entry) -> str:
    text = of_interaction(entry)
    return f"{_capital(text)} (Holm's p {p_value(entry['p_holm'])})." if text else ""


def _of_ensembles(ensembles: Entry) -> str:
    gain = ensembles["mean_gain"]
    if gain is None:
        return ""
    several = sum(ensemble["n"] > 1 for ensemble in ensembles["variants"])
    mean, low, high = gain["mean"], gain["low"], gain["high"]
    if mean < 0:
        mean, low, high = -mean, -high, -low
    return (
        "The networks of a variant together (mean of their probabilities) err "
        f"{'less' if gain['mean'] >= 0 else 'more'} than one of them by {mean:.2f} points "
        f"[{low:.2f}, {high:.2f}] (95 %, over images), on average over {several} "
        f"variant{'s' * (several != 1)}."
    )


def _of_floor(floor: Entry | None) -> str:
    if floor is None:
        return ""
    lowest = min(floor["variants"], key=lambda variant: variant["with"])
    return (
        f"{floor['images']} test images have labels that human raters dispute; without them the "
        f"lowest mean error is {percentage(lowest['without'])} instead of "
        f"{percentage(lowest['with'])}."
    )
