"""Which variants need more seeds."""

from dataclasses import replace

import numpy as np
import pytest

from sidebyside.analysis.analyse import analyse
from sidebyside.analysis.deciding import of_pairs, progress, race
from sidebyside.analysis.effects.estimates import Effects, Estimate, MainEffect, SimpleEffect
from sidebyside.analysis.looks import looks_up_to
from sidebyside.analysis.metrics.replicate import Replicate
from sidebyside.analysis.pairs import compare_pairs
from sidebyside.config.schema import Study

LOOKS = looks_up_to(20)


def replicates(seeds, **means):
    """Return variants with these mean errors and little noise."""
    generator = np.random.default_rng(1)
    return [
        Replicate(
            name,
            list(range(seeds)),
            (mean + generator.normal(0, sd, seeds)).tolist(),
            np.zeros((seeds, 0), bool),
            [f"{name} {seed}" for seed in range(seeds)],
        )
        for name, (mean, sd) in means.items()
    ]


def test_who_is_worse_is_out_and_the_rest_goes_on():
    now = race(replicates(5, a=(1, 0.001), b=(3, 0.001), c=(1.05, 0.3)), 0.1, LOOKS)
    assert now.out == ["b"]
    assert now.open == ["a", "c"]
    assert (now.decided, now.asked) == (2, 3)


def test_a_race_ends_when_those_left_are_equivalent():
    now = race(replicates(5, a=(1, 0.001), b=(3, 0.001), c=(1.01, 0.02)), 0.1, LOOKS)
    assert (now.out, now.open, now.decided) == (["b"], [], 3)


def test_what_one_look_shows_all_the_same_is_shown_later():
    few = compare_pairs(replicates(3, a=(1, 0.001), b=(3, 0.001)), [("a", "b")], 0.1, looks=LOOKS)
    assert of_pairs(few).open == []
    noisy = compare_pairs(replicates(3, a=(1, 0.3), b=(1.2, 0.3)), [("a", "b")], 0.1, looks=LOOKS)
    assert of_pairs(noisy).open == ["a", "b"]


def test_what_is_open_of_some_comparisons_is_open_of_all():
    """By which a baseline gets its next seeds before the last runs of a look are finished."""
    open_of_some = 0
    for seed in range(20):
        means = np.random.default_rng(seed).normal(1, 0.4, 6)
        own = replicates(
            5, **{name: (mean, 0.2) for name, mean in zip("abcdef", means, strict=True)}
        )
        against = [(replicate.name, "a") for replicate in own[1:]]
        everything = of_pairs(compare_pairs(own, against, 0.1, looks=LOOKS)).open
        for size in range(1, 5):
            some = of_pairs(compare_pairs(own, against[:size], 0.1, looks=LOOKS)).open
            assert set(some) <= set(everything)
            open_of_some += bool(some)
    assert open_of_some


@pytest.fixture(scope="module")
def factorial(committed_factorial):
    def looked(count, **rule):
        study = Study(name="factorial", until="decided", max_seeds=5, **rule)
        runs = [run for run in committed_factorial.runs if run.seed < count]
        evidence = replace(committed_factorial, runs=runs, stopping=study.stopping())
        return progress(evidence, study)

    return looked


def test_of_the_committed_factorial_30_pairs_are_decided_at_its_second_look(factorial):
    first, second = factorial(3), factorial(5)
    assert first.asked == second.asked == 66  # eight variants are four networks
    assert (first.decided, first.out) == (0, [])
    assert second.decided == 30
    assert {name.partition(",data_format")[0] for name in second.out} == {
        "kernel_size=3,dropout=true,optimizer=adam",
        "kernel_size=3,dropout=false,optimizer=adam",
        "kernel_size=3,dropout=false,optimizer=adadelta",
    }


@pytest.mark.parametrize(
    ("low", "high", "told"), [(-0.05, 0.05, True), (-0.5, 0.05, False), (-0.05, 0.5, False)]
)
def test_an_effect_that_is_not_shown_is_told_by_both_ends(low, high, told):
    effect = MainEffect("f", "b", "a", Estimate(0.0, low, high, p_holm=0.6))
    assert Effects([effect], [], []).is_told(effect, 0.1) is told


@pytest.mark.parametrize(("p", "told"), [(0.01, True), (0.6, False)])
def test_an_average_that_is_contradicted_decides_nothing(p, told):
    nothing = Estimate(0.0, -0.05, 0.05, p_holm=0.6)
    effect = MainEffect("f", "b", "a", nothing, contradicted_by=["g"])
    at_level = SimpleEffect("f", "b", "a", "g", 1, replace(nothing, p_holm=p))
    assert Effects([effect], [], [at_level]).is_told(effect, 0.1) is told


def test_before_a_seed_is_common_nothing_is_said_of_factors(committed_factorial):
    """As in the report of a study that is under way."""
    names = list(dict.fromkeys(run.variant for run in committed_factorial.runs))
    study = Study(name="factorial", until="decided", max_seeds=5, expected_equal=["data_format"])
    runs = [run for run in committed_factorial.runs if run.seed == int(run.variant == names[0])]
    evidence = replace(committed_factorial, runs=runs, stopping=study.stopping())
    analysis = analyse(evidence, study, [])
    assert analysis.main_effects == []
    assert analysis.content["equivalence"] == []


def test_a_question_may_be_of_a_baseline_a_pair_or_factors(factorial, committed_factorial):
    names = list(dict.fromkeys(run.variant for run in committed_factorial.runs))
    against = factorial(5, baseline=names[0])
    assert against.asked == 11
    assert names[0] in against.open
    pair = factorial(5, question=[names[0], names[-1]])
    assert pair.asked == 1
    factors = factorial(5, question="factors", expected_equal=["data_format"])
    assert factors.asked == 4
    assert factors.decided < 4
    assert factors.open == names
