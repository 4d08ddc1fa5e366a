"""How many seeds there are and why: a study's rule, and what was decided at which look."""

from collections.abc import Mapping, Sequence
from typing import Any

from sidebyside.analysis.intervals import ROUNDING
from sidebyside.analysis.looks import Looks, looks_of, looks_up_to
from sidebyside.config.factors import level_text
from sidebyside.config.metrics import metric_of_rule
from sidebyside.report.text.findings import Entry, is_told, more, of_pair
from sidebyside.report.text.markdown import paragraph
from sidebyside.report.text.numbers import counted, seeds_text, spelled
from sidebyside.report.text.scale import Scale

_ORDINALS = ("first", "second", "third", "fourth", "fifth")
_NAMED = 3  # comparisons that are told one by one; of more, how many there are


def rule_text(rule: Mapping[str, Any]) -> str:
    """Return a rule in words, e.g. "until factors are decided, at most 20 seeds"."""
    most, scale = f"at most {rule['max_seeds']} seeds", scale_of(rule)
    if rule["until"] == "narrow":
        return f"until intervals are within +-{scale.within(rule['halfwidth'])}, {most}"
    question, baseline = rule["question"], rule["baseline"]
    if isinstance(question, list):
        asked = f"{question[0]} against {question[1]} is decided"
    elif question == "factors":
        asked = "the factors are decided"
    elif baseline:
        asked = f"each variant against {baseline} is decided"
    else:
        asked = "the best variant is decided"
    return f"until {asked}, within {scale.within(rule['margin'])} if equivalent, {most}"


def of_stopping(rule: Entry) -> str:
    """Return how seeds were added, and what that does to intervals and tests."""
    if rule["until"] == "narrow":
        how = """
            the first five runs of a variant say how many it needs, and its interval over seeds
            takes its width from these five alone (Stein 1945): it holds the truth 95 times in a
            hundred. That for new seeds and new images takes the same width of seeds. The others
            and the tests take no account of it and are nominal."""
    else:
        counts = [str(count) for count in looks_up_to(rule["max_seeds"]).counts]
        how = f"""
            after {", ".join(counts)} seeds all runs are looked at. Intervals for new seeds are
            repeated confidence intervals, and p values the least of all looks over its share of
            the error (Jennison & Turnbull 1989) if the last look bears that out, so that both are
            good at any look. Factors are judged by the seeds that all variants have. The correction
            for choosing by validation error, ensembles and power take no account of looks."""
    return paragraph(f"Seeds were added {rule_text(rule)}: {how}")


def scale_of(rule: Mapping[str, Any]) -> Scale:
    """Return how numbers of the metric are written that a rule goes by."""
    return Scale(metric_of_rule(rule))


def rule_statements(rule: Mapping[str, Any] | None, content: Entry) -> list[str]:
    """Return what a report says first of a study whose seeds a rule has added.

    Parameters
    ----------
    rule : dict or None
        As evidence has it.
    content : dict
        Of ``comparison.json``: variants, pairs, effects and equivalence.
    """
    if rule is None:
        return []
    sentences = []
    if rule.get("before"):
        others = "; ".join(rule_text(before) for before in rule["before"])
        sentences.append(
            f"The rule for adding seeds was changed after results were known: it was {others}; it "
            f"is now {rule_text(rule)}. What is promised of intervals and tests holds for one rule "
            "that was there before."
        )
    if looks := looks_of(rule):
        return sentences + _decided(rule, looks, content)
    return [*sentences, _of_width(rule["halfwidth"], content["variants"], scale_of(rule))]


def _of_width(halfwidth: float, variants: Sequence[Entry], scale: Scale) -> str:
    """Return how many seeds intervals of a width took, and which are wider all the same."""
    wide = [own for own in variants if _is_wider(own[scale.metric.name], halfwidth)]
    narrow = [own for own in variants if not _is_wider(own[scale.metric.name], halfwidth)]
    two_stages = "(in two stages, whose width the first five seeds set)"
    if not narrow:
        return (
            f"No interval over seeds is within +-{scale.within(halfwidth)} after "
            f"{_seeds_of(wide)} {two_stages}."
        )
    short = ""
    if wide:
        short = (
            f"; {len(wide)} of {len(variants)} variants would take more than their "
            f"{_seeds_of(wide)}, and have wider ones"
        )
    return (
        f"Intervals of +-{scale.within(halfwidth)} over seeds took {_seeds_of(narrow)}{short} "
        f"{two_stages}."
    )


def _is_wider(ends: Entry, halfwidth: float) -> bool:
    if ends["low"] is None:
        return True
    # Of which one may end where there can be no value beyond.
    return bool(max(ends["high"] - ends["mean"], ends["mean"] - ends["low"]) > halfwidth + ROUNDING)


def _seeds_of(variants: Sequence[Entry]) -> str:
    counts = sorted({variant["n"] for variant in variants})
    return f"{counts[0]} to {counts[-1]} seeds" if counts[1:] else seeds_text(counts[0])


def _decided(rule: Mapping[str, Any], looks: Looks, content: Entry) -> list[str]:
    question, baseline = rule["question"], rule["baseline"]
    if question == "factors":
        return _of_factors(rule, looks, content)
    asked = content["pairs"]
    if isinstance(question, list):
        asked = [pair for pair in asked if {pair["a"], pair["b"]} == set(question)]
    elif baseline:
        asked = [pair for pair in asked if baseline in (pair["a"], pair["b"])]
    else:
        return _of_race(looks, asked, scale_of(rule))
    return _of_pairs(looks, asked, scale_of(rule))


def _of_pairs(looks: Looks, pairs: Sequence[Entry], scale: Scale) -> list[str]:
    told = [pair for pair in pairs if pair["verdict"] != "can't tell"]
    sentences = []
    for count in sorted({looks.reached(pair["n"]) for pair in told}):
        of_look = [pair for pair in told if looks.reached(pair["n"]) == count]
        sentences.append(f"{_at(looks, count)}: {_listed(of_look, scale)}.")
    return sentences + _undecided([pair for pair in pairs if pair["verdict"] == "can't tell"])


def _of_race(looks: Looks, pairs: Sequence[Entry], scale: Scale) -> list[str]:
    """Return who is out of a race of variants, since when, and what is known of the others."""
    out: dict[str, int] = {}
    for pair in pairs:
        if pair["verdict"] in ("better", "worse"):
            loser = pair["b"] if pair["verdict"] == "better" else pair["a"]
            count = looks.reached(pair["n"])
            out[loser] = min(count, out.get(loser, count))
    sentences = []
    for count in sorted(set(out.values())):
        names = [name for name, own in out.items() if own == count]
        which = _names(names) if len(names) <= _NAMED else f"{len(names)} variants"
        verb = "is" if len(names) == 1 else "are"
        sentences.append(f"{_at(looks, count)}: {which} {verb} worse than another and out.")
    left = [pair for pair in pairs if not {pair["a"], pair["b"]} & out.keys()]
    return sentences + _of_pairs(looks, left, scale)


def _of_factors(rule: Mapping[str, Any], looks: Looks, content: Entry) -> list[str]:
    """Return which factors are decided, each by all contrasts of its levels, and which aren't."""
    main = content["effects"]["main"]
    equal: dict[str, bool] = {}
    for entry in content["equivalence"]:
        equal[entry["factor"]] = equal.get(entry["factor"], True) and entry["equivalent"]
    seeds = max((entry["n"] for entry in main), default=0)
    simple, margin = content["effects"]["simple"], rule["margin"]
    left = [
        entry for entry in main if not equal.get(entry["factor"], is_told(entry, simple, margin))
    ]
    undecided = {entry["factor"] for entry in left}
    undecided |= {name for name, is_equal in equal.items() if not is_equal}
    done = dict.fromkeys([*equal, *(entry["factor"] for entry in main)])
    named = [name for name in done if name not in undecided]
    sentences = [f"{_at(looks, looks.reached(seeds))}: {_names(named)}."] if named else []
    if left:
        factors = "; ".join(f"{_contrast(entry, main)}{more(entry)}" for entry in left)
        sentences.append(f"Not decided after {seeds_text(seeds)}: {factors}.")
    return sentences


def _contrast(entry: Entry, main: Sequence[Entry]) -> str:
    """Return a factor's name, and its levels where it has more than two."""
    if sum(own["factor"] == entry["factor"] for own in main) == 1:
        return str(entry["factor"])
    return (
        f"{entry['factor']} {level_text(entry['level'])} against {level_text(entry['reference'])}"
    )


def _undecided(pairs: Sequence[Entry]) -> list[str]:
    if not pairs:
        return []
    seeds = seeds_text(max(pair["n"] for pair in pairs))
    if len(pairs) <= _NAMED:
        apart = [f"{spelled(p['a'])} against {spelled(p['b'])}{more(p)}" for p in pairs]
        return [f"Not decided after {seeds}: {'; '.join(apart)}."]
    known = [pair["more_seeds"] for pair in pairs if pair["more_seeds"]]
    needed = f"; {counted(min(known), 'more seed')} would decide the next of them" if known else ""
    return [f"Not decided after {seeds}: {len(pairs)} comparisons{needed}."]


def _listed(pairs: Sequence[Entry], scale: Scale) -> str:
    if len(pairs) <= _NAMED:
        return "; ".join(of_pair(pair, scale) for pair in pairs)
    kinds = [pair["verdict"] for pair in pairs]
    counts = [f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)]
    return f"{len(pairs)} comparisons ({', '.join(counts)})"


def _at(looks: Looks, count: int) -> str:
    return f"Decided at the {_ORDINALS[looks.number(count) - 1]} look ({count} seeds)"


def _names(names: Sequence[str]) -> str:
    return ", ".join(spelled(name) for name in names)
