"""Sentences, each made from a decision."""

from dataclasses import replace

import pytest

from sidebyside.analysis.analyse import Analysis
from sidebyside.report.text.findings import (
    of_equivalence,
    of_interaction,
    of_main_effect,
    of_pair,
    of_simple_effect,
)
from sidebyside.report.text.statements import statements

POWER = {
    "sd": 0.1,
    "sd_low": 0.08,
    "sd_high": 0.13,
    "n": 5,
    "pairs": 66,
    "smallest_difference": 0.45,
    "seeds_for": {"0.5": 4, "0.25": None},
}


def effect(factor="dropout", difference=-0.2, p_holm=0.01, **more):
    entry = {
        "factor": factor,
        "level": True,
        "reference": False,
        "difference": difference,
        "low": difference - 0.1,
        "high": difference + 0.1,
        "p_holm": p_holm,
        "seeds_and_images": {"low": difference - 0.15, "high": difference + 0.15},
        "contradicted_by": [],
        "more_seeds": 7,
        "n": 5,
    }
    return entry | more


def simple(at, difference, p_holm, factor="dropout", given="optimizer"):
    return effect(factor, difference, p_holm, given=given, at=at)


ADADELTA = {"level": "adadelta", "reference": "adam"}
INTERACTION = {
    "factors": ["dropout", "optimizer"],
    "levels": [True, "adadelta"],
    "references": [False, "adam"],
    "difference": 0.15,
    "low": 0.07,
    "high": 0.23,
    "p_holm": 0.032,
}


def content(**more):
    empty = {
        "identical": [],
        "effects": {"main": [], "interactions": [], "simple": []},
        "pairs": [],
        "equivalence": [],
        "no_worse": [],
        "power": POWER | {"pairs": 0},
        "ensemble": {"variants": [], "mean_gain": None},
        "floor": None,
        "selection": None,
    }
    return empty | more


def said(protocols=("clean",), **more):
    by_variant = {f"variant {name}": name for name in protocols}
    return statements(Analysis(content(**more), {}, {}, {}, "variant", by_variant))


def test_a_shown_effect_names_the_better_level():
    assert of_main_effect(effect()) == (
        "dropout true is better than false by 0.20 points [0.05, 0.35]"
    )
    assert of_main_effect(effect(difference=0.2)) == (
        "dropout false is better than true by 0.20 points [0.05, 0.35]"
    )
    alone = effect(seeds_and_images=None)  # of a metric that is no mean over images
    assert of_main_effect(alone) == "dropout true is better than false by 0.20 points [0.10, 0.30]"
    assert of_main_effect(effect(p_holm=0.06)) is None
    assert of_main_effect(effect(p_holm=None)) is None


def test_an_average_that_an_interaction_contradicts_is_never_better():
    contradicted = effect(contradicted_by=["optimizer"])
    assert of_main_effect(contradicted) is None
    main = [contradicted, effect("optimizer", 0.0, 0.9, contradicted_by=["dropout"])]
    by_level = [
        simple("adam", -0.3, 0.01),
        simple("adadelta", -0.05, 0.4),
        simple(False, 0.02, 0.8, "optimizer", "dropout") | ADADELTA,
        simple(True, 0.1, 0.2, "optimizer", "dropout") | ADADELTA,
    ]
    sentences = said(effects={"main": main, "interactions": [INTERACTION], "simple": by_level})
    assert sentences[0] == (
        "At optimizer adam, dropout true is better than false by 0.30 points [0.15, 0.45], at "
        "optimizer adadelta it can't be told (true minus false: -0.05 [-0.20, +0.10]) (95 %, new "
        "seeds and new images); for optimizer this study can't tell."
    )
    both = [*by_level[:3], by_level[3] | {"p_holm": 0.01}]
    (first, *_) = said(effects={"main": main, "interactions": [INTERACTION], "simple": both})
    assert first == (
        "At optimizer adam, dropout true is better than false by 0.30 points [0.15, 0.45], at "
        "optimizer adadelta it can't be told (true minus false: -0.05 [-0.20, +0.10]); at dropout "
        "true, optimizer adam is better than adadelta by 0.10 points [-0.05, 0.25], perhaps none "
        "on new images, at dropout false it can't be told (adadelta minus adam: +0.02 [-0.13, "
        "+0.17]) (95 %, new seeds and new images)."
    )
    twice = [*both, *(own | {"given": "size", "difference": -0.1} for own in by_level[:2])]
    other = INTERACTION | {"factors": ["dropout", "size"]}
    effects = {"main": main, "interactions": [INTERACTION, other], "simple": twice}
    assert said(effects=effects)[0] == first  # by the interaction in which it does most
    nowhere = [by_level[0] | {"p_holm": 0.3}, *by_level[1:]]
    (first, *_) = said(effects={"main": main, "interactions": [INTERACTION], "simple": nowhere})
    assert first == "Of the factors (dropout, optimizer) none is shown to make a difference."
    assert sentences[1] == (
        "Dropout and optimizer interact: dropout true minus false is 0.15 points [0.07, 0.23] "
        "higher at optimizer adadelta than at adam (95 %, over seeds; Holm's p 0.032)."
    )
    assert len(sentences) == 2


def test_what_no_average_is_told_of_is_told_where_it_was_run():
    nothing = dict.fromkeys(("difference", "low", "high", "p_holm", "seeds_and_images"))
    main = [effect() | nothing, effect("optimizer") | nothing]
    star = [simple("adam", -0.3, 0.01), simple("sgd", 0.0, None) | nothing]
    (told,) = said(effects={"main": main, "interactions": [], "simple": star})
    assert told == (
        "At optimizer adam, dropout true is better than false by 0.30 points [0.15, 0.45] (95 %, "
        "new seeds and new images); for optimizer this study can't tell."
    )
    unsure = [simple("adam", -0.3, 0.3)]
    assert said(effects={"main": main, "interactions": [], "simple": unsure}) == []


def test_a_factor_whose_average_has_no_interval_is_told_where_its_interaction_is_shown():
    untested = dict.fromkeys(("low", "high", "p_holm", "seeds_and_images"))
    main = [effect("optimizer", 0.9, 0.01, **ADADELTA), effect() | untested]
    by_level = [simple("adam", -0.2, 0.4), simple("adadelta", 0.6, 0.02)]
    by_level += [
        simple(at, difference, 0.01, "optimizer", "dropout") | ADADELTA
        for at, difference in ((True, 0.8), (False, 0.7))
    ]
    effects = {"main": main, "interactions": [INTERACTION], "simple": by_level}
    (first, *_) = said(effects=effects)
    assert "at optimizer adadelta, dropout false is better than true by 0.60 points" in first
    assert "can't tell" not in first


def test_an_interaction_is_told_before_what_it_does_not_contradict():
    by_level = [
        simple("adam", -0.3, 0.01),
        simple("adadelta", -0.15, 0.01),
        simple(False, 0.02, 0.8, "optimizer", "dropout") | ADADELTA,
        simple(True, 0.1, 0.2, "optimizer", "dropout") | ADADELTA,
    ]
    effects = {"main": [effect()], "interactions": [INTERACTION], "simple": by_level}
    first = said(effects=effects)[0]
    assert first.index("at optimizer adadelta, dropout true") < first.index("; dropout true")


def test_few_clusters_show_no_p_value_below_a_thousandth():
    effects = {"main": [effect(p_holm=2e-20)], "interactions": [], "simple": []}
    assert said(effects=effects)[1] == (
        "Dropout true is better than false by 0.20 points [0.05, 0.35] (95 %, new seeds and new "
        "images; over seeds [0.10, 0.30]; Holm's p < 0.001)."
    )
    wide = effect(seeds_and_images={"low": -0.5, "high": 0.1})
    assert (
        "[-0.10, 0.50], perhaps none on new images (95"
        in said(effects=effects | {"main": [wide]})[1]
    )


def test_what_can_not_be_told_comes_with_the_seeds_that_would():
    effects = {"main": [effect(p_holm=0.4)], "interactions": [], "simple": []}
    assert said(effects=effects) == [
        "Of the factors (dropout) none is shown to make a difference.",
        "Can't tell dropout true from false: -0.20 points [-0.35, -0.05] (95 %, new seeds and new "
        "images); about 7 more seeds would at the difference seen.",
    ]


def test_of_factors_nothing_is_said_where_protocols_are_mixed():
    effects = {"main": [effect()], "interactions": [], "simple": []}
    assert said(["clean", "train60k"], effects=effects) == [
        "Runs follow different protocols (clean, train60k), so what tells variants apart may be "
        "their protocol."
    ]


def equivalence(**more):
    entry = {
        "factor": "data_format",
        "levels": ["channels_last", "channels_first"],
        "pairs": 40,
        "identical": 20,
        "margin": 0.1,
        "n": 5,
        "difference": 0.012,
        "low": -0.02,
        "high": 0.04,
        "p_holm": 0.001,
        "contradicted_by": [],
        "equivalent": True,
        "exact": None,
    }
    return entry | more


def test_identity_is_told_apart_from_equivalence():
    assert said(equivalence=[equivalence()]) == [
        "channels_last and channels_first (data_format) are equivalent within 0.1 points "
        "(channels_first minus channels_last: +0.01 [-0.02, +0.04], 90 % over n=5 seeds, averaged "
        "over the 20 of 40 pairs of runs that aren't bit-identical)."
    ]
    same = equivalence(identical=40, n=0, difference=None, low=None, high=None, p_holm=None)
    names = "channels_last and channels_first (data_format)"
    assert of_equivalence(same) == f"{names} give bit-identical networks"
    assert said(equivalence=[same])[0].endswith("(40 pairs of runs).")
    assert said(equivalence=[same | {"pairs": 1, "identical": 1}])[0].endswith("(1 pair of runs).")
    open_one = equivalence(equivalent=False, identical=0)
    assert "aren't shown to be equivalent" in said(equivalence=[open_one])[0]
    unlike = equivalence(equivalent=False, contradicted_by=["optimizer"])
    assert said(equivalence=[unlike])[0].startswith(
        "channels_last and channels_first (data_format) aren't shown to be equivalent within 0.1 "
        "points at each level of optimizer (channels_first minus channels_last: +0.01"
    )
    few = equivalence(equivalent=False, n=1, low=None, high=None)
    assert said(equivalence=[few]) == [
        "Whether channels_last and channels_first (data_format) are equivalent can't be told from "
        "1 seed."
    ]


def test_a_factor_expected_equal_is_not_among_the_effects():
    effects = {"main": [effect("data_format", p_holm=None)], "interactions": [], "simple": []}
    sentences = said(effects=effects, equivalence=[equivalence(equivalent=False)])
    assert len(sentences) == 1


def test_an_interval_over_seeds_that_holds_none_is_told_so():
    turned = effect(difference=-0.12, low=-0.38, high=0.13)
    (_, sentence) = said(effects={"main": [turned], "interactions": [], "simple": []})
    assert "; over seeds [-0.13, 0.38]; Holm's p" in sentence


def test_a_factor_that_was_decided_to_make_no_difference_is_told_so():
    main = [effect("f", 0.0, 0.9, low=-0.05, high=0.04), effect("h", 0.02, 0.8)]
    found = content(effects={"main": main, "interactions": [], "simple": []})
    by_margin = Analysis(found, {}, {}, {}, "v", {"v": "clean"}, decided_within=0.1)
    assert statements(by_margin)[:2] == [
        "F makes no difference beyond 0.1 points (95 %, over seeds); for h this study can't tell.",
        "F true makes no difference to false beyond 0.1 points: +0.00 points [-0.05, +0.04] (95 %, "
        "over seeds).",
    ]
    (first, *_) = statements(replace(by_margin, decided_within=None))
    assert first == "Of the factors (f, h) none is shown to make a difference."


def test_factors_that_few_seeds_judge_are_told_by_which():
    main = [effect("model", 0.05, 0.8, n=3)]
    effects = {"main": main, "interactions": [], "simple": []}
    grown = pair("model=b", "model=a", 0.4)
    found = content(effects=effects, pairs=[grown | {"n": 8}])
    of_looks = Analysis(found, {}, {}, {}, "v", {"v": "clean"}, in_step=True)
    sentences = statements(of_looks)
    by = "by the 3 seeds that all variants have"
    assert f"Of the factors (model) none is shown to make a difference {by}." in sentences
    assert any(one.startswith(f"Can't tell model true from false {by}: ") for one in sentences)
    assert not any(by in sentence for sentence in statements(replace(of_looks, in_step=False)))
    as_many = content(effects=effects, pairs=[grown | {"n": 3}])
    assert not any(by in one for one in statements(replace(of_looks, content=as_many)))


def test_no_level_of_several_is_told_to_make_a_difference_to_the_first():
    main = [
        effect("f", 0.07, 0.9, low=0.05, high=0.09, level=level, reference="a")
        for level in ("b", "c")
    ]
    found = content(effects={"main": main, "interactions": [], "simple": []})
    (first, *_) = statements(Analysis(found, {}, {}, {}, "v", {"v": "clean"}, decided_within=0.1))
    assert first == ("No level of f makes a difference to a beyond 0.1 points (95 %, over seeds).")


def test_identical_variants_are_told():
    (sentence,) = said(identical=[["a", "b"], ["c", "d"]])
    assert sentence.startswith("4 variants are 2 networks under several names")


def test_power_names_its_test():
    assert said(power=POWER) == [
        "With n=5 seeds, a difference of 0.45 points between two variants is shown four times in "
        "five (by the verdicts' test: paired by seed, Holm over 66 pairs; differences have a "
        "pooled sd of 0.10 points [0.08, 0.13] over seeds); seeds needed: 4 for 0.5 points."
    ]
    few = POWER | {"n": 2, "smallest_difference": None}
    assert "three are the fewest" in said(power=few)[0]


def test_power_is_told_where_one_number_is_true_of_all_pairs():
    (never,) = said(power=POWER | {"smallest_difference": 101.0})
    assert never.startswith("With n=5 seeds, no difference between two variants is shown")
    others = [pair("a=0", "a=1", 0.0, "can't tell") | {"n": 8}]
    assert said(power=POWER, pairs=others) == []


def pair(a, b, difference, verdict="worse"):
    ends = {"mean": difference, "low": difference - 0.1, "high": difference + 0.1}
    return {"a": a, "b": b, "n": 5, "margin": 0.1, "verdict": verdict, "difference": ends}


def test_where_no_factor_tells_of_them_the_pairs_that_differ_most_do():
    pairs = [pair(f"a={k}", "a=0", k / 2) for k in range(1, 6)]
    pairs.append(pair("a=6", "a=0", 0.0, "can't tell"))
    (sentence,) = said(pairs=pairs)
    assert sentence.startswith("a=5 is worse than a=0 by 2.50 points [2.40, 2.60] (95 %, over")
    assert sentence.endswith("; 2 more pairs of variants differ.")
    main = {"main": [effect()], "interactions": [], "simple": []}
    assert not any("a=5 is worse" in other for other in said(pairs=pairs, effects=main))
    nothing = dict.fromkeys(("difference", "low", "high", "p_holm", "seeds_and_images"))
    unknown = effect() | nothing
    aliased = {"main": [unknown], "interactions": [], "simple": []}  # with another factor
    assert said(pairs=pairs, effects=aliased) == [sentence]
    mixed = said(("clean", "tf55k"), pairs=pairs)
    assert not any("a=5 is worse" in other for other in mixed)


def test_the_choice_comes_with_its_correction():
    chosen = {
        "chosen": "a=1",
        "validation_error": 0.8,
        "test_error": 0.79,
        "seeds_and_images": {"low": 0.64, "high": 0.94},
        "corrected": {"mean": 0.81, "low": 0.72, "high": 0.9},
        "bias": 0.02,
        "lowest_test": "a=2",
        "lowest_test_error": 0.7,
        "flattery": 0.09,
    }
    pairs = [pair("a=2", "a=1", 0.2)]
    assert said(selection=chosen, pairs=pairs)[:1] == [
        "Chosen by validation error: a=1, with a test error of 0.79 % [0.64, 0.94] (95 %, new "
        "seeds and new images); it is shown to be better than 1 of the 1 other. Corrected for the "
        "choice, over seeds alone, it is 0.81 % [0.72, 0.90] (95 %). Choosing by test error would "
        "have shown 0.70 % (a=2), which, corrected for that choice, flatters by 0.09 points."
    ]
    unlucky = said(selection=chosen | {"flattery": -0.001}, pairs=pairs)[0]
    assert unlucky.endswith("Choosing by test error would have shown 0.70 % (a=2).")
    agreed = said(selection=chosen | {"lowest_test": "a=1"}, pairs=pairs)[0]
    assert "Choosing by" not in agreed
    same = said(selection=chosen, pairs=pairs, identical=[["a=2", "a=3"]])[0]
    assert "better than 1 of the 1 other network." in same  # whatever its names
    over_seeds = {f"a={level}": {} for level in range(4)}
    some = Analysis(content(selection=chosen, pairs=pairs), over_seeds, {}, {}, "a=1", {})
    assert "better than 1 of the 1 that it is held against." in statements(some)[0]


def test_the_lowest_error_without_disputed_images_may_be_of_another_variant():
    variants = [{"with": 2.0, "without": 1.9}, {"with": 2.2, "without": 1.0}]
    (told,) = said(floor={"images": 15, "variants": variants})
    assert told.endswith("without them the lowest mean error is 1.00 % instead of 2.00 %.")


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("better", "A is better than B by 0.20 points [0.10, 0.30] (95 %, over seeds, n=5 seeds)"),
        ("equivalent", "A and B are equivalent within 0.1 points"),
        ("can't tell", "Can't tell A from B with 5 seeds"),
        ("identical", "A and B gave bit-identical networks (5 seeds)"),
    ],
)
def test_a_pair(verdict, words):
    ends = {"mean": -0.2, "low": -0.3, "high": -0.1}
    entry = {"a": "A", "b": "B", "n": 5, "margin": 0.1, "verdict": verdict, "more_seeds": None}
    assert of_pair(entry | {"difference": ends}) == words


def test_simple_effects_and_interactions_that_are_not_shown_are_no_findings():
    assert of_simple_effect(simple("adam", -0.1, 0.2)) is None
    assert of_interaction(INTERACTION | {"p_holm": 0.2}) is None


def test_of_equal_parameters_the_network_with_fewer_multiply_adds_is_the_smallest():
    def smaller(name, multiply_adds):
        costs = (multiply_adds, 9_000)
        return {
            "smaller": name,
            "larger": "large",
            "sizes": [{"parameters": 1_000, "multiply_adds": own} for own in costs],
            "shown": True,
            "margin": 0.1,
            "difference": 0.01,
            "worst": 0.05,
            "p_holm": 0.002,
        }

    (sentence,) = said(no_worse=[smaller("wide", 8_000), smaller("narrow", 2_000)])
    assert "narrow is the smallest that is no worse" in sentence
