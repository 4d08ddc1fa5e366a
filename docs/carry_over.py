"""Write whether MNIST's conclusions carry over to clothes: python docs/carry_over.py.

It writes docs/carry_over.md, from the committed evidence of study=factorial on the full MNIST and
of study=fashion on Fashion-MNIST.
"""

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from sidebyside.analysis.effects.carried import (
    Carried,
    at_level,
    carried_factors,
    carried_interactions,
)
from sidebyside.analysis.effects.estimates import Effects, Estimate, Interaction, SimpleEffect
from sidebyside.analysis.effects.of_study import effects_of
from sidebyside.config.factors import level_text
from sidebyside.config.schema import Study
from sidebyside.report.text.markdown import table
from sidebyside.report.text.numbers import p_value
from sidebyside.report.text.scale import ERRORS
from sidebyside.storage.evidence import Evidence
from sidebyside.storage.evidence_files import read_evidence

ROOT = Path(__file__).resolve().parents[1]
FIRST, SECOND = "mnist/factorial", "fashion_mnist/fashion"
PAGE = Path(__file__).with_name("carry_over.md")
_LAYOUT, _HALF = "data_format", "channels_last"

_HEAD = """# Do MNIST's conclusions carry over to clothes?

Written by `python docs/carry_over.py`, from the evidence committed in `reports/mnist/factorial/`
and `reports/fashion_mnist/fashion/`: kernel size x dropout x optimizer on Fashion-MNIST
(`python pipelines/train.py -m study=fashion dataset=fashion_mnist`) beside the same half,
channels_last, of the factorial on MNIST. Both are analysed here by the same methods, those of the
report: effects in points of test error, averaged over the other factors, with 95 % intervals over
seeds (CR2, the seed as the cluster), p corrected after Holm over the main effects or the
interactions of one study; that of a simple effect over the levels of the other factor. The rows
aren't corrected for one another.
"""
_RULE = """
"Carries over": both studies show the difference, in the same direction, or both show that there is
none beyond the margin of {margin}. "Turns round": both show it, in opposite directions.
"Doesn't carry over": one shows it, the other that there is none. "Can't tell": one of them at
least can't. The verdicts compare what was shown, not how large it is: the errors of the two
datasets differ, and a point isn't worth the same on both.
"""
_ABSENT = """
{names} there yet, so nothing is set side by
side here. The command above trains it.
"""


def page(first: Evidence | None, second: Evidence | None) -> str:
    """Return the page; where evidence is None it says that the report isn't there yet."""
    absent = [name for name, own in ((FIRST, first), (SECOND, second)) if own is None]
    if first is None or second is None:
        missing = " and ".join(f"`reports/{name}/`" for name in absent)
        return _HEAD + _ABSENT.format(names=f"{missing} {'are' if len(absent) > 1 else 'is'}n't")
    half, study = at_level(first, _LAYOUT, _HALF), Study("carry_over")
    of_first, of_second = (effects_of(evidence, study) for evidence in (half, second))
    factors = carried_factors(of_first, of_second, study.margin)
    names = [half.dataset, second.dataset]
    rows = [entry for entries in factors.values() for entry in entries]
    sentences = [
        _of_factor(name, entries, names) + _asked_for(entries, of_second, names[1])
        for name, entries in factors.items()
    ]
    parts = [
        _HEAD,
        *(_filled(f"- {sentence}") for sentence in sentences),
        "\n## The two studies\n",
        table([_of_study(evidence) for evidence in (half, second)]),
        "\n## Factors, side by side\n",
        table([_row(entry, names) for entry in rows]),
        _RULE.format(margin=ERRORS.within(study.margin)),
        "## Interactions that either study shows\n",
        _of_interactions(carried_interactions(of_first, of_second), names),
        "",
    ]
    return "\n".join(parts)


def _of_study(evidence: Evidence) -> dict[str, str]:
    recipes = [run.recipe for run in evidence.runs]
    errors = [evidence.test_error(run) for run in evidence.runs]
    return {
        "dataset": evidence.dataset,
        "study": evidence.study,
        "runs": str(len(evidence.runs)),
        "seeds": str(len({run.seed for run in evidence.runs})),
        "epochs": _listed(recipe["epochs"] for recipe in recipes),
        "batch": _listed(recipe["batch_size"] for recipe in recipes),
        "protocol": _listed(run.protocol for run in evidence.runs),
        "mean test error %": f"{sum(errors) / len(errors):.2f}",
    }


def _listed(values: Iterable[object]) -> str:
    return ", ".join(dict.fromkeys(map(str, values)))


def _of_factor(name: str, entries: Sequence[Carried], names: Sequence[str]) -> str:
    """Return in a sentence whether what a factor does carries over."""
    parts = [f"{_place(entry)}{_said(entry, names)}" for entry in entries]
    return f"**{name}**: {'; '.join(parts)}."


def _asked_for(entries: Sequence[Carried], second: Effects, name: str) -> str:
    """Return that the second study shows no interaction by which it would be asked by itself."""
    if all(entry.verdict == "can't tell" for entry in entries):
        return ""
    given = {(own.of.factor, own.of.given) for own in entries if isinstance(own.of, SimpleEffect)}
    p_values = [
        p_value(interaction.estimate.p_holm)
        for interaction in second.interactions
        if not interaction.estimate.shown
        and any(set(pair) == set(interaction.factors) for pair in given)
    ]
    if not p_values:
        return ""
    return (
        f" On {name} the interaction itself isn't shown (Holm's p {', '.join(p_values)}): it is "
        "asked there because the other study shows it."
    )


def _place(entry: Carried) -> str:
    if isinstance(entry.of, SimpleEffect):
        return f"at {entry.of.given} {level_text(entry.of.at)}, "
    return ""


def _said(entry: Carried, names: Sequence[str]) -> str:
    own = [
        f"{_told(entry, estimate)} on {name}"
        for estimate, name in zip((entry.first, entry.second), names, strict=True)
    ]
    verdicts = {
        "carries over": "the conclusion carries over",
        "turns round": "the conclusion turns round",
        "doesn't carry over": "the conclusion doesn't carry over",
        "can't tell": "whether a conclusion carries over can't be told",
    }
    return f"{verdicts[entry.verdict]}: {', '.join(own)}"


def _told(entry: Carried, estimate: Estimate) -> str:
    """Return e.g. "5 is better than 3 by 0.19 points [0.15, 0.23]"."""
    assert not isinstance(entry.of, Interaction)
    level, reference = level_text(entry.of.level), level_text(entry.of.reference)
    said = f"{level} minus {reference} {_estimate(estimate)}"
    difference, told = estimate.difference, entry.told(estimate)
    if told == "can't tell" or difference is None:
        return f"undecided ({said})"
    if told == "none":
        return f"no difference beyond {ERRORS.within(entry.margin)} ({said})"
    better, worse = (level, reference) if difference < 0 else (reference, level)
    assert estimate.low is not None
    assert estimate.high is not None
    ends = sorted((abs(estimate.low), abs(estimate.high)))
    return f"{better} is better than {worse} by {ERRORS.apart(abs(difference))} {_bracket(ends)}"


def _bracket(ends: Sequence[float]) -> str:
    low, high = ends
    return ERRORS.bracket(low, high)


def _estimate(estimate: Estimate) -> str:
    return ERRORS.signed(estimate.difference) + ERRORS.interval(estimate.low, estimate.high)


def _row(entry: Carried, names: Sequence[str]) -> dict[str, str]:
    columns = {"effect": _effect(entry)}
    for estimate, name in zip((entry.first, entry.second), names, strict=True):
        columns |= {name: _estimate(estimate), f"{name}, Holm's p": p_value(estimate.p_holm)}
    return columns | {"verdict": entry.verdict}


def _effect(entry: Carried) -> str:
    """Return what an effect is of, e.g. "kernel_size 5 minus 3"."""
    if isinstance(entry.of, Interaction):
        levels = zip(entry.of.factors, entry.of.levels, entry.of.references, strict=True)
        return " x ".join(f"{own} {level_text(a)} minus {level_text(b)}" for own, a, b in levels)
    said = f"{entry.of.factor} {level_text(entry.of.level)} minus {level_text(entry.of.reference)}"
    return f"{said} {_place(entry)}".rstrip(", ")


def _of_interactions(entries: Sequence[Carried], names: Sequence[str]) -> str:
    if not entries:
        return "None."
    return table([_row(entry, names) for entry in entries])


def _filled(text: str) -> str:
    return textwrap.fill(
        text, 100, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def evidence_of(report: str) -> Evidence | None:
    """Return the evidence of a committed report, None where it isn't there."""
    path = ROOT / "reports" / report / "evidence.npz"
    return read_evidence(path) if path.is_file() else None


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(evidence_of(FIRST), evidence_of(SECOND)))


if __name__ == "__main__":
    main()
