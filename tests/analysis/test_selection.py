"""The choice by validation error, and the bias that it brings."""

import numpy as np
import pytest

from sidebyside.analysis.intervals import interval
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


def test_one_seed_gives_no_correction():
    choice = select(candidates([1.0, 1.1, 1.2, 1.3], seeds=1))
    assert (choice.corrected, choice.bias) == (None, None)


def test_what_choosing_by_test_error_flatters():
    pair = candidates([1.0, 1.05], seeds=3)
    pair[0].test[:] = [9.0] * 3
    choice = select(pair)
    if choice.chosen == "0":
        assert choice.best_test == "1"
        assert choice.flattery == pytest.approx(9.0 - np.mean(pair[1].test))
    else:
        assert choice.flattery == 0
