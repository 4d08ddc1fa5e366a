"""Whether what a factor does in one study is what it does in another."""

import pytest

from sidebyside.analysis.effects.carried import Carried, carried_factors
from sidebyside.analysis.effects.estimates import Effects, Estimate, MainEffect, SimpleEffect

MARGIN = 0.1


def estimate(difference, halfwidth, p):
    low, high = difference - halfwidth, difference + halfwidth
    return Estimate(difference, low, high, standard_error=halfwidth / 2, p_holm=p)


BETTER, WORSE = estimate(-0.5, 0.1, 0.001), estimate(0.5, 0.1, 0.001)
NONE, UNDECIDED = estimate(0.01, 0.05, 0.6), estimate(0.2, 0.4, 0.3)


def main_effect(own, contradicted_by=()):
    return MainEffect("size", 5, 3, own, list(contradicted_by))


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (BETTER, BETTER, "carries over"),
        (NONE, NONE, "carries over"),
        (BETTER, WORSE, "turns round"),
        (BETTER, NONE, "doesn't carry over"),
        (NONE, WORSE, "doesn't carry over"),
        (BETTER, UNDECIDED, "can't tell"),
        (UNDECIDED, NONE, "can't tell"),
        (BETTER, Estimate(), "can't tell"),
    ],
)
def test_a_verdict_says_what_both_show(first, second, verdict):
    assert Carried(main_effect(first), first, second, MARGIN).verdict == verdict


def test_where_levels_of_another_factor_matter_each_is_asked():
    simple = [SimpleEffect("size", 5, 3, "rate", at, own) for at, own in ((1, BETTER), (2, NONE))]
    mixed = Effects([main_effect(BETTER, ["rate"])], [], simple)
    plain = Effects([main_effect(BETTER)], [], [*simple[:1], *simple[:1]])
    (found,) = carried_factors(mixed, Effects([main_effect(BETTER)], [], simple), MARGIN).values()
    assert [entry.of.at for entry in found] == [1, 2]
    (found,) = carried_factors(plain, plain, MARGIN).values()
    assert [entry.of for entry in found] == [main_effect(BETTER)]
