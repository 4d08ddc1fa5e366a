"""Every sentence on what a study shows, made from its decisions: the numbers of the report."""

from collections.abc import Sequence

from sidebyside.analysis.analyse import Analysis
from sidebyside.analysis.power import FEWEST
from sidebyside.analysis.selection import validation_figure
from sidebyside.config.metrics import ERROR, LOG_LOSS, Metric
from sidebyside.report.text.asked import of_asked
from sidebyside.report.text.factors import (
    by_common_seeds,
    effect_sentence,
    interaction_sentence,
    of_factors,
)
from sidebyside.report.text.findings import Entry, both_levels, minus, of_equivalence, of_pair
from sidebyside.report.text.numbers import count_text, counted, p_value, seeds_text, spelled
from sidebyside.report.text.scale import Scale

_NAMED = 3  # pairs of variants that the opening tells one by one


def statements(analysis: Analysis) -> list[str]:
    """Return the sentences that open a report, the three most important first."""
    content, effects, main = analysis.content, analysis.effects, analysis.main_effects
    scale = Scale(analysis.metric)
    by = by_common_seeds(main, content["pairs"]) if analysis.in_step else ""
    factors = of_factors(main, effects, scale, analysis.decided_within, by)
    sentences = [
        _of_protocols(list(dict.fromkeys(analysis.protocols.values())), analysis.confounded),
        _of_choice(content, len(analysis.over_seeds), scale),
        factors,
        "" if analysis.confounded or factors else _of_pairs(content["pairs"], scale),
        *(_of_equivalence(entry, scale) for entry in content["equivalence"]),
        _of_smaller(content["no_worse"], scale),
        _of_identical(content["identical"]),
        of_asked(content.get("asked")),
        _of_power(content["power"], content["pairs"], scale),
        *(effect_sentence(effect, scale, analysis.decided_within, by) for effect in main),
        *(interaction_sentence(entry, scale) for entry in effects["interactions"]),
        _of_ensembles(content["ensemble"], scale),
        _of_floor(content["floor"], scale),
    ]
    return [sentence for sentence in sentences if sentence]


def _of_protocols(protocols: Sequence[str], confounded: bool) -> str:
    if not confounded:
        return ""
    return (
        f"Runs follow different protocols ({', '.join(protocols)}), so what tells variants apart "
        "may be their protocol."
    )


def _of_choice(content: Entry, variants: int, scale: Scale) -> str:
    chosen, name = content["selection"], scale.metric.name
    if chosen is None:
        return ""
    text = (
        f"Chosen by validation {validation_figure(scale.metric)}{_instead(scale.metric)}: "
        f"{spelled(chosen['chosen'])}, with a {scale.test} of {scale.value(chosen[name])}"
        f"{_of_new(chosen['seeds_and_images'], scale)}"
    )
    against = [
        pair
        for pair in content["pairs"]
        if chosen["chosen"] in (pair["a"], pair["b"]) and pair["verdict"] != "identical"
    ]
    worse = sum(_beaten(pair, chosen["chosen"]) for pair in against)
    if against:
        text += (
            f"; it is shown to be better than {worse} of the {_others(content, against, variants)}"
        )
        text += _of_bias(chosen, scale)
    if chosen["lowest_test"] != chosen["chosen"]:
        text += (
            f". Choosing by {scale.test} would have shown {scale.value(chosen[f'lowest_{name}'])} "
            f"({spelled(chosen['lowest_test'])}){_of_flattery(chosen['flattery'], scale)}"
        )
    return text + "."


def _others(content: Entry, against: Sequence[Entry], variants: int) -> str:
    """Return which a choice is held against: all other networks, or those of some pairs."""
    networks = variants - sum(len(group) - 1 for group in content["identical"])
    if len(against) < networks - 1:
        return f"{len(against)} that it is held against"
    return counted(len(against), "other network" if content["identical"] else "other")


def _of_flattery(flattery: float | None, scale: Scale) -> str:
    """Return by how much a choice by test figures flatters, nothing where it isn't seen to."""
    if flattery is None or scale.apart(max(flattery, 0.0)) == scale.apart(0.0):
        return ""
    return f", which, corrected for that choice, flatters by {scale.apart(flattery)}"


def _instead(metric: Metric) -> str:
    """Return that a choice goes by another figure than the metric, nothing where it doesn't."""
    if metric in (ERROR, LOG_LOSS):
        return ""
    return f", as training records no {metric.label} of validation images"


def _of_new(ends: Entry | None, scale: Scale) -> str:
    if ends is None:
        return ""
    return f" {scale.bracket(ends['low'], ends['high'])} (95 %, new seeds and new images)"


def _of_bias(chosen: Entry, scale: Scale) -> str:
    honest = chosen["corrected"]
    if honest is None:
        return ""
    return (
        f". Corrected for the choice, over seeds alone, it is {scale.value(honest['mean'])} "
        f"{scale.bracket(honest['low'], honest['high'])} (95 %)"
    )


def _beaten(pair: Entry, winner: str) -> bool:
    return bool(pair["verdict"] == ("better" if pair["a"] == winner else "worse"))


def _of_pairs(pairs: Sequence[Entry], scale: Scale) -> str:
    """Return which variants differ most, where no factor tells of them."""
    apart = [pair for pair in pairs if pair["verdict"] in ("better", "worse")]
    apart.sort(key=lambda pair: -abs(pair["difference"]["mean"]))
    told = [of_pair(pair, scale) for pair in apart[:_NAMED]]
    if others := len(apart) - len(told):
        told.append(f"{counted(others, 'more pair')} of variants differ{'s' * (others == 1)}")
    return f"{'; '.join(told)}." if told else ""


def _of_equivalence(entry: Entry, scale: Scale) -> str:
    text, levels = of_equivalence(entry, scale), both_levels(entry)
    if text is None and entry["low"] is None:
        return f"Whether {levels} are equivalent can't be told from {seeds_text(entry['n'])}."
    if text is None:
        text = f"{levels} aren't shown to be equivalent within {scale.within(entry['margin'])}"
        if others := entry["contradicted_by"]:
            text += f" at each level of {', '.join(others)}"
    text += _of_difference(entry, scale)
    if exact := entry["exact"]:
        text += (
            f"; the same weights in both layouts change {exact['flips']} of {exact['images']} "
            f"predictions, and no logit by more than {max(exact['largest_difference'], 1e-6):.6f}"
        )
    return text + "."


def _of_difference(entry: Entry, scale: Scale) -> str:
    pairs, identical = entry["pairs"], entry["identical"]
    if identical == pairs:
        return f" ({counted(pairs, 'pair')} of runs)"
    apart = scale.estimate(entry, "difference")
    text = f" ({minus(entry)}: {apart}, 90 % over n={seeds_text(entry['n'])}"
    if identical:
        others = f"{pairs - identical} of {pairs} pairs of runs that aren't bit-identical"
        text += f", averaged over the {others}"
    return f"{text})"


def _of_identical(groups: Sequence[Sequence[str]]) -> str:
    if not groups:
        return ""
    names = sum(map(len, groups))
    return (
        f"{names} variants are {counted(len(groups), 'network')} under several names "
        "(the same weights, bit for bit, in every common seed): each is held against the others "
        "once."
    )


def _of_smaller(entries: Sequence[Entry], scale: Scale) -> str:
    """Return which is the smallest network that is shown to be no worse than the baseline."""
    shown = [entry for entry in entries if entry["shown"]]
    if not shown:
        return ""
    entry = min(shown, key=_cost)
    ours, theirs = entry["sizes"]
    costs = f"{_against(ours, theirs, 'parameters')} parameters"
    if ours["multiply_adds"] and theirs["multiply_adds"]:
        costs += f", {_against(ours, theirs, 'multiply_adds')} multiply-adds an image"
    return (
        f"Of the variants that are smaller than {spelled(entry['larger'])}, "
        f"{spelled(entry['smaller'])} is the smallest that is no worse, within "
        f"{scale.within(entry['margin'])} ({costs}; {scale.metric.label} "
        f"{scale.signed(entry['difference'])}, at worst {scale.signed(entry['worst'])}, one-sided "
        f"95 %, Holm's p {p_value(entry['p_holm'])})."
    )


def _cost(entry: Entry) -> tuple[int, int]:
    """Return what the smaller network of two costs: parameters, then multiply-adds."""
    size = entry["sizes"][0]
    return size["parameters"], size["multiply_adds"] or 0


def _against(ours: Entry, theirs: Entry, cost: str) -> str:
    return f"{count_text(ours[cost])} against {count_text(theirs[cost])}"


def _of_power(power: Entry, pairs: Sequence[Entry], scale: Scale) -> str:
    if power["pairs"] == 0 or any(pair["n"] != power["n"] for pair in pairs):
        return ""  # of pairs that have other numbers of seeds, no one number is true
    if power["n"] < FEWEST:
        return (
            f"With {seeds_text(power['n'])} in common no difference between two variants can be "
            "tested: three are the fewest."
        )
    if power["smallest_difference"] is None:
        return ""  # a single network
    low, high = scale.metric.bounds
    if power["smallest_difference"] > high - low:
        return (
            f"With n={seeds_text(power['n'])}, no difference between two variants is shown four "
            f"times in five (by the verdicts' test: paired by seed, Holm over "
            f"{counted(power['pairs'], 'pair')})."
        )
    spread = scale.apart(power["sd"])
    if power["sd_low"] is not None:
        spread += f" {scale.bracket(power['sd_low'], power['sd_high'])}"
    needed = " and ".join(
        f"{seeds} for {points}" for points, seeds in power["seeds_for"].items() if seeds
    )
    return (
        f"With n={seeds_text(power['n'])}, a difference of "
        f"{scale.apart(power['smallest_difference'])} between two variants is shown four times in "
        f"five (by the verdicts' test: paired by seed, Holm over "
        f"{counted(power['pairs'], 'pair')}; differences have a pooled sd of {spread} over seeds)"
        f"{'; seeds needed: ' + scale.with_unit(needed) if needed else ''}."
    )


def _of_ensembles(ensembles: Entry, scale: Scale) -> str:
    gain = ensembles["mean_gain"]
    if gain is None:
        return ""
    several = sum(ensemble["n"] > 1 for ensemble in ensembles["variants"])
    mean, low, high = gain["mean"], gain["low"], gain["high"]
    if mean < 0:
        mean, low, high = -mean, -high, -low
    return (
        "The networks of a variant together (mean of their probabilities) "
        f"{_how_much(gain['mean'], scale)} than one of them by {scale.apart(mean)} "
        f"{scale.bracket(low, high)} (95 %, over images), on average over "
        f"{counted(several, 'variant')}."
    )


def _how_much(gain: float, scale: Scale) -> str:
    """Return how all networks compare with one, which are better by ``gain``."""
    if scale.metric == ERROR:
        return f"err {'less' if gain >= 0 else 'more'}"
    return f"have a {scale.better if gain >= 0 else scale.worse} {scale.metric.label}"


def _of_floor(floor: Entry | None, scale: Scale) -> str:
    if floor is None:
        return ""
    best, without = (
        min((variant[own] for variant in floor["variants"]), key=scale.metric.rank)
        for own in ("with", "without")
    )
    return (
        f"{floor['images']} test images have labels that human raters dispute; without them the "
        f"{scale.best} {scale.mean} is {scale.value(without)} instead of {scale.value(best)}."
    )
