"""What an estimate of an effect says, and what of effects is told."""

from sidebyside.analysis.effects.estimates import (
    Effects,
    Estimate,
    Interaction,
    MainEffect,
    SimpleEffect,
)
from sidebyside.analysis.power import pairs_needed

SHOWN = Estimate(difference=-0.4, standard_error=0.02, p=0.001, p_holm=0.004, n=5, family=4)
OPEN = Estimate(difference=-0.4, standard_error=0.2, p=0.12, p_holm=0.36, n=5, family=4)


def test_an_effect_is_shown_by_its_corrected_p_value():
    assert SHOWN.shown
    assert not Estimate(difference=-0.4, p=0.04, p_holm=0.05).shown
    assert not Estimate().shown


def test_more_seeds_are_for_what_is_tested_and_not_shown():
    assert SHOWN.more_seeds is None
    assert Estimate(difference=-0.4, p=0.04).more_seeds is None  # expected equal, so not tested
    assert OPEN.more_seeds == pairs_needed(0.2 * 5**0.5, 0.4, 0.05 / 4) - 5
    alone = Estimate(difference=-0.4, standard_error=0.2, p_holm=0.36, n=5, family=1)
    assert alone.more_seeds < OPEN.more_seeds


def test_an_entry_has_the_numbers_among_its_names():
    entry = MainEffect("kernel", "5", "3", OPEN).as_json()
    assert (entry["factor"], entry["level"], entry["difference"]) == ("kernel", "5", -0.4)
    assert entry["more_seeds"] == OPEN.more_seeds
    assert "estimate" not in entry


def test_simple_effects_are_told_where_two_factors_interact():
    def interaction(a, b, estimate):
        return Interaction([a, b], ["1", "1"], ["0", "0"], estimate)

    def simple(factor, given):
        return SimpleEffect(factor, "1", "0", given, "0", OPEN)

    effects = Effects(
        main=[],
        interactions=[interaction("a", "b", SHOWN), interaction("a", "c", OPEN)],
        simple=[simple("a", "b"), simple("b", "a"), simple("a", "c"), simple("b", "c")],
    )
    told = [(effect["factor"], effect["given"]) for effect in effects.as_json()["simple"]]
    assert told == [("a", "b"), ("b", "a")]
