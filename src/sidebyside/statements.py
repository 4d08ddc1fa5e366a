"""The answer in sentences, each made from the numbers of the report."""

from collections.abc import Mapping, Sequence
from typing import Any

from sidebyside.claims import of_equivalence, of_interaction, of_main_effect
from sidebyside.factors import level_text
from sidebyside.text import signed, signed_interval, spelled


def statements(content: Mapping[str, Any], protocols: Sequence[str], confounded: bool) -> list[str]:
    """Return the sentences that open a report, the three most important first.

    Parameters
    ----------
    content : dict
        The statistics, as ``comparison.json`` has them.
    protocols : sequence of str
        Those that the study's runs follow.
    confounded : bool
        Whether what a factor does can't be told from what the protocol does; then nothing is said
        of factors.
    """
    main = [] if confounded else content["effects"]["main"]
    expected = {entry["factor"] for entry in content["equivalence"]}
    equal = {entry["factor"] for entry in content["equivalence"] if entry["equivalent"]}
    sentences = [
        _of_protocols(protocols),
        _of_choice(content),
        _of_factors([effect for effect in main if effect["factor"] not in expected]),
        *(_of_equivalence(entry) for entry in content["equivalence"]),
        _of_power(content["power"]),
        # After "equivalent", that no difference can be told would sound like another finding.
        *(_of_effect(effect) for effect in main if effect["factor"] not in equal),
        *_of_interactions([] if confounded else content["effects"]["interactions"]),
        *_of_ensembles(content["ensemble"]),
        *_of_floor(content["floor"]),
    ]
    return [sentence for sentence in sentences if sentence]


def percentage(value: float) -> str:
    """Return e.g. "0.87 %"."""
    return f"{value:.2f} %"


def _of_protocols(protocols: Sequence[str]) -> str:
    if len(protocols) == 1:
        return ""
    return (
        f"Runs follow different protocols ({', '.join(protocols)}), so what tells variants apart "
        "may be their protocol."
    )


def _of_choice(content: Mapping[str, Any]) -> str:
    chosen = content["selection"]
    if chosen is None:
        return ""
    text = (
        f"Chosen by validation error, {spelled(chosen['chosen'])} is best, with a test error of "
        f"{percentage(chosen['test_error'])}"
    )
    against = [pair for pair in content["pairs"] if chosen["chosen"] in (pair["a"], pair["b"])]
    worse = sum(_beaten(pair, chosen["chosen"]) for pair in against)
    if against:
        text += f"; it is shown to be better than {worse} of the {len(against)} others"
    if chosen["flattery"] > 0:
        text += (
            f". Choosing by test error would have shown {percentage(chosen['lowest_test_error'])} "
            f"({spelled(chosen['lowest_test'])}), which flatters by {chosen['flattery']:.2f} points"
        )
    return text + "."


def _beaten(pair: Mapping[str, Any], winner: str) -> bool:
    return bool(pair["verdict"] == ("better" if pair["a"] == winner else "worse"))


def _of_factors(main: Sequence[Mapping[str, Any]]) -> str:
    told = [(effect, claim) for effect in main if (claim := of_main_effect(effect))]
    if not main:
        return ""
    if not told:
        names = ", ".join(dict.fromkeys(str(effect["factor"]) for effect in main))
        return f"Of the factors ({names}) none is shown to make a difference."
    told.sort(key=lambda found: -abs(found[1].difference))
    known = {effect["factor"] for effect, _ in told}
    rest = dict.fromkeys(str(e["factor"]) for e in main if e["factor"] not in known)
    text = "; ".join(claim.text for _, claim in told)
    if rest:
        text += f"; for {', '.join(rest)} this study can't tell"
    return f"{_capital(text)}."


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _of_equivalence(entry: Mapping[str, Any]) -> str:
    a, b = (level_text(level) for level in entry["levels"])
    interval = signed_interval(entry["low"], entry["high"])
    if claim := of_equivalence(entry):
        text = claim.text
    elif entry["low"] is None:
        return f"Whether {a} and {b} are equivalent can't be told from {entry['n']} pairs of runs."
    else:
        text = f"{a} and {b} aren't shown to be equivalent within {entry['margin']:g} points"
    text += f" (difference {signed(entry['difference'])}{interval}, 90 %, n={entry['n']} pairs)"
    if exact := entry["exact"]:
        text += (
            f"; the same weights in both layouts change {exact['flips']} of {exact['images']} "
            f"predictions, and no logit by more than {max(exact['largest_difference'], 1e-6):.6f}"
        )
    return text + "."


def _of_power(power: Mapping[str, Any]) -> str:
    if power["smallest_difference"] is None:
        return "With one seed per variant, no difference between two can be tested."
    needed = [f"{seeds} for {points}" for points, seeds in power["seeds_for"].items() if seeds]
    text = (
        f"With n={power['n']} seeds per variant, a difference of "
        f"{power['smallest_difference']:.2f} points between two variants is found four times in "
        "five"
    )
    return f"{text}; seeds needed: {' and '.join(needed)} points." if needed else f"{text}."


def _of_effect(effect: Mapping[str, Any]) -> str:
    if effect["low"] is None:
        return ""
    if claim := of_main_effect(effect):
        return f"{_capital(claim.text)} (Holm's p {effect['p_holm']:.2g})."
    level, reference = level_text(effect["level"]), level_text(effect["reference"])
    return (
        f"Can't tell {effect['factor']} {level} from {reference}: "
        f"{signed(effect['difference'])} points{signed_interval(effect['low'], effect['high'])}."
    )


def _of_interactions(interactions: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"{claim.text}." for one in interactions if (claim := of_interaction(one))]


def _of_ensembles(ensembles: Sequence[Mapping[str, Any]]) -> list[str]:
    several = [one for one in ensembles if one["n"] > 1]
    if not several:
        return []
    gain = sum(one["mean_of_members"] - one["test_error"] for one in several) / len(several)
    return [
        "The networks of a variant together (mean of their probabilities) err "
        f"{'less' if gain >= 0 else 'more'} than one of them by {abs(gain):.2f} points, on average "
        f"over {len(several)} variants."
    ]


def _of_floor(floor: Mapping[str, Any] | None) -> list[str]:
    if floor is None:
        return []
    lowest = min(floor["variants"], key=lambda variant: variant["with"])
    return [
        f"{floor['images']} test images have labels that human raters dispute; without them the "
        f"lowest mean error is {percentage(lowest['without'])} instead of "
        f"{percentage(lowest['with'])}."
    ]
