"""The choice by validation error, and the bias that it brings."""

from dataclasses import replace

import numpy as np
import pytest

from sidebyside.analysis.selection import Candidate, select


def choice_of(candidates):
    return select(candidates, dict.fromkeys(candidate.name for candidate in candidates))


def candidates(means, noise=0.1, seeds=5, seed=0):
    generator = np.random.default_rng(seed)
    luck = generator.normal(0, noise, (len(means), seeds))
    return [
        Candidate(
            name=str(number),
            seeds=list(range(seeds)),
            validation=(mean + luck[number]).tolist(),
            test=(mean + luck[number] + generator.normal(0, noise / 5, seeds)).tolist(),
        )
        for number, mean in enumerate(means)
    ]


def test_among_equals_the_choice_is_not_believed():
    choice = [choice_of(candidates([1.0] * 12, seed=seed)) for seed in range(60)]
    own = np.mean([candidate.test for candidate in choice])
    corrected = np.mean([candidate.corrected["mean"] for candidate in choice])
    assert own < 0.95
    assert abs(corrected - 1.0) < 0.3 * (1.0 - own)
    assert choice[0].bias == pytest.approx(choice[0].corrected["mean"] - choice[0].test)


def test_who_is_far_ahead_stays_there():
    choice = choice_of(candidates([1.0, 2, 3, 4, 5, 6]))
    assert choice.chosen == "0"
    assert abs(choice.bias) < 0.005


def test_of_few_variants_nothing_is_learnt():
    choice = choice_of(candidates([1.0, 1.0, 1.0]))
    assert (choice.corrected, choice.bias, choice.flattery) == (None, None, None)


@pytest.mark.parametrize("value", [0.0, 16.118095])  # no loss at all, that of all that diverged
def test_where_all_runs_have_one_value_nothing_is_to_be_corrected(value):
    made = [replace(own, test=[value] * 5) for own in candidates([1.0, 1.1, 1.2, 1.3])]
    choice = choice_of(made)
    assert choice.corrected == pytest.approx({"mean": value, "low": value, "high": value})
    assert (choice.bias, choice.flattery) == (pytest.approx(0), pytest.approx(0))


def test_a_choice_has_the_interval_that_its_variant_has():
    ends = {"low": 0.8, "high": 1.4}
    choice = select(candidates([1.0, 2.0]), {"0": ends, "1": None})
    assert (choice.chosen, choice.seeds_and_images) == ("0", ends)


def test_one_seed_gives_no_correction():
    choice = choice_of(candidates([1.0, 1.1, 1.2, 1.3], seeds=1))
    assert (choice.corrected, choice.bias) == (None, None)


def test_what_choosing_by_test_error_flatters():
    """The lowest of equals was lucky, by as much as it is below what all of them are worth."""
    choices = [choice_of(candidates([1.0] * 12, seed=seed)) for seed in range(60)]
    lowest = np.mean([choice.best_test_value for choice in choices])
    flattery = np.mean([choice.flattery for choice in choices])
    assert lowest < 0.95
    assert flattery == pytest.approx(1.0 - lowest, rel=0.3)


def test_a_worse_choice_by_validation_is_not_flattery():
    own = candidates([1.0, 2.0, 3.0, 4.0, 5.0])
    own[0] = replace(own[0], validation=[2.5] * 5)
    choice = choice_of(own)
    assert (choice.chosen, choice.best_test) == ("1", "0")
    assert abs(choice.flattery) < 0.05


def test_seeds_that_others_do_not_have_leave_a_choice_uncorrected():
    few, *others = candidates([1.0, 5.0, 6.0, 7.0], seeds=5)
    few = replace(few, seeds=few.seeds[:3], validation=[1.1] * 3, test=[1.0] * 3)
    choice = choice_of([few, *others])
    assert (choice.chosen, choice.test) == (few.name, 1.0)
    assert (choice.corrected, choice.bias, choice.flattery) == (None, None, None)
