"""The choice by validation error, and the bias that it brings."""

from dataclasses import replace

import numpy as np
import pytest

from sidebyside.analysis.intervals import interval, new_seeds_and_images
from sidebyside.analysis.looks import looks_up_to
from sidebyside.analysis.selection import Candidate, select

NOTHING = np.zeros((5, 0), bool)


def candidates(means, noise=0.1, seeds=5, seed=0):
    generator = np.random.default_rng(seed)
    luck = generator.normal(0, noise, (len(means), seeds))
    return [
        Candidate(
            name=str(number),
            seeds=list(range(seeds)),
            validation=(mean + luck[number]).tolist(),
            test=(mean + luck[number] + generator.normal(0, noise / 5, seeds)).tolist(),
            scores=NOTHING[[0] * seeds],
        )
        for number, mean in enumerate(means)
    ]


def test_among_equals_the_choice_is_not_believed():
    choice = [select(candidates([1.0] * 12, seed=seed)) for seed in range(60)]
    own = np.mean([candidate.test for candidate in choice])
    corrected = np.mean([candidate.corrected["mean"] for candidate in choice])
    assert own < 0.95
    assert abs(corrected - 1.0) < 0.3 * (1.0 - own)
    assert choice[0].bias == pytest.approx(choice[0].corrected["mean"] - choice[0].test)


def test_who_is_far_ahead_stays_there():
    choice = select(candidates([1.0, 2, 3, 4, 5, 6]))
    assert choice.chosen == "0"
    assert abs(choice.bias) < 0.005


def test_of_few_variants_nothing_is_learnt():
    few = candidates([1.0, 1.0])
    choice = select(few)
    own = interval(next(candidate.test for candidate in few if candidate.name == choice.chosen))
    assert choice.corrected == pytest.approx({name: own[name] for name in ("mean", "low", "high")})


def test_the_interval_of_a_choice_is_that_of_its_look():
    wrong = np.random.default_rng(0).random((3, 1000)) < 0.05
    own = [replace(candidate, scores=wrong) for candidate in candidates([1.0, 1.2], seeds=3)]
    nominal, at_look = select(own), select(own, looks_up_to(13))
    confidence = looks_up_to(13).confidence(3)
    expected = new_seeds_and_images(100.0 * wrong, confidence=confidence).clipped_ends(confidence)
    assert at_look.seeds_and_images == pytest.approx(expected)
    assert at_look.seeds_and_images["high"] > nominal.seeds_and_images["high"]


def test_one_seed_gives_no_correction():
    choice = select(candidates([1.0, 1.1, 1.2, 1.3], seeds=1))
    assert (choice.corrected, choice.bias) == (None, None)


def test_what_choosing_by_test_error_flatters():
    """The lowest of equals was lucky, by as much as it is below what all of them are worth."""
    choices = [select(candidates([1.0] * 12, seed=seed)) for seed in range(60)]
    lowest = np.mean([choice.best_test_value for choice in choices])
    flattery = np.mean([choice.flattery for choice in choices])
    assert lowest < 0.95
    assert flattery == pytest.approx(1.0 - lowest, rel=0.3)


def test_a_worse_choice_by_validation_is_not_flattery():
    own = candidates([1.0, 2.0, 3.0, 4.0, 5.0])
    own[0] = replace(own[0], validation=[2.5] * 5)
    choice = select(own)
    assert (choice.chosen, choice.best_test) == ("1", "0")
    assert abs(choice.flattery) < 0.05


def test_the_correction_is_of_the_variant_that_was_chosen():
    """By all seeds of each, where some have more than all have in common."""
    few, many, *others = candidates([1.0, 5.0, 6.0, 7.0], seeds=5)
    few = replace(few, seeds=few.seeds[:3], validation=[1.1] * 3, test=[1.0] * 3)
    many = replace(many, validation=[2.0, 2.0, 2.0, -3.0, -3.0])
    choice = select([few, many, *others])
    assert choice.chosen == many.name
    assert choice.corrected["mean"] == pytest.approx(5.0, abs=0.5)
    assert abs(choice.bias) < 0.5
