"""What picking the epoch by its test error is worth."""

import numpy as np
import pytest

from sidebyside.analysis.published.holding import hold_against_published
from sidebyside.analysis.published.watching import (
    Watched,
    last_differences,
    mean_over,
    unwatched,
    watched,
)
from sidebyside.storage.evidence_files import read_evidence
from support.projects import SOURCE

# The second epoch is best for all but the third run, which was lucky at the first.
ERRORS = np.array([[1.5, 1.0, 1.25], [1.5, 1.0, 1.5], [1.0, 1.25, 1.25]])


def of(errors, held_out=None):
    errors = np.array(errors)
    return Watched("own", "tf55k", [*range(len(errors))], errors, 10_000, held_out or {})


def test_a_gain_is_told_apart_into_learning_and_selection():
    recipe = of(ERRORS, {0: 2, 2: 0})
    assert recipe.over_last == {0: 0.25, 1: 0.5, 2: 0.25}
    assert recipe.over_others == {0: 0.0, 1: 0.0, 2: 0.25}
    assert recipe.over_held_out == {0: 0.25, 2: 0.0}
    assert recipe.held_out_over_last == {0: 0.0, 2: 0.25}
    for seed, learned in recipe.held_out_over_last.items():
        assert recipe.over_last[seed] == learned + recipe.over_held_out[seed]


def test_one_run_has_no_other_seeds_and_no_interval():
    recipe = of(ERRORS[:1])
    assert recipe.over_others == recipe.over_held_out == recipe.held_out_over_last == {}
    assert recipe.mean(recipe.over_others) is None
    assert recipe.mean(recipe.over_last) == {"mean": 0.25, "sd": None, "low": None, "high": None}


def test_over_recipes_a_seed_counts_once():
    mean = mean_over([of(ERRORS), of(ERRORS[:2])], lambda recipe: recipe.over_last)
    assert mean["mean"] == 0.375
    assert mean["sd"] == pytest.approx(np.std([0.25, 0.5], ddof=1))
    assert mean_over([], lambda recipe: recipe.over_last) is None


def test_noise_alone_is_selection():
    draws = np.random.default_rng(1)
    recipes = [
        of(draws.normal(1, 0.1, (5, 10)), dict(enumerate(draws.integers(10, size=5))))
        for _ in range(400)
    ]
    whole, over_others, over_held_out, learned = (
        np.mean([list(gains(recipe).values()) for recipe in recipes])
        for gains in (
            lambda recipe: recipe.over_last,
            lambda recipe: recipe.over_others,
            lambda recipe: recipe.over_held_out,
            lambda recipe: recipe.held_out_over_last,
        )
    )
    # The least of ten is 1.54 standard deviations below the mean (Harter 1961).
    assert [whole, over_others, over_held_out] == pytest.approx([0.154] * 3, abs=0.01)
    assert learned == pytest.approx(0, abs=0.01)


def test_the_committed_gains_are_those_of_the_report():
    published = read_evidence(SOURCE / "reports" / "mnist" / "published" / "evidence.npz")
    told = {own.preset: own.gain_of_picking for own in hold_against_published(published).recipes}
    found = {own.preset: own.mean(own.over_last)["mean"] for own in watched(published, None)}
    assert found == pytest.approx({preset: told[preset] for preset in found}, abs=1e-5)
    assert {*told} == {*found, *unwatched(published)}
    assert last_differences(published) == 0
