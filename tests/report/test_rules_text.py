"""What a report says of a rule that added seeds."""

import pytest

from sidebyside.report.text.rules import rule_statements, rule_text

DECIDED = {
    "until": "decided",
    "question": "variants",
    "margin": 0.1,
    "baseline": "k=3",
    "max_seeds": 20,
}
NARROW = {"until": "narrow", "halfwidth": 0.05, "max_seeds": 30}


def pair(a, b, n, verdict, **more):
    ends = {"mean": -0.3, "low": -0.4, "high": -0.2}
    entry = {"a": a, "b": b, "n": n, "verdict": verdict, "difference": ends, "margin": 0.1}
    return entry | {"more_seeds": None} | more


def said(rule=DECIDED, pairs=(), main=(), equivalence=(), variants=(), simple=()):
    main = [{"level": "b", "contradicted_by": []} | effect for effect in main]
    effects = {"main": main, "simple": simple}
    content = {"pairs": pairs, "effects": effects, "equivalence": equivalence}
    content["variants"] = variants
    return rule_statements(rule, content)


def test_decisions_are_told_by_their_look():
    better = pair("k=5", "k=3", 5, "better")
    other = pair("k=7", "k=5", 5, "worse")  # nobody asked
    assert said(pairs=[better, other]) == [
        "Decided at the second look (5 seeds): k=5 is better than k=3 by 0.30 points "
        "[0.20, 0.40] (95 %, over seeds, n=5 seeds)."
    ]


def test_what_is_not_decided_is_told_with_what_it_takes():
    open_pair = pair("k=5", "k=3", 20, "can't tell", more_seeds=12)
    (sentence,) = said(pairs=[open_pair])
    assert sentence == (
        "Not decided after 20 seeds: k=5 against k=3; about 12 more seeds would at the difference "
        "seen."
    )


def test_many_decisions_are_counted():
    pairs = [pair(f"k={k}", "k=3", 8, "better") for k in (4, 5, 6, 7)]
    assert said(pairs=pairs) == ["Decided at the third look (8 seeds): 4 comparisons (4 better)."]


def test_a_race_tells_who_is_out():
    pairs = [
        pair("a", "b", 3, "better"),
        pair("b", "c", 3, "worse"),
        pair("a", "c", 20, "can't tell"),
    ]
    assert said(DECIDED | {"baseline": None}, pairs) == [
        "Decided at the first look (3 seeds): b is worse than another and out.",
        "Not decided after 20 seeds: a against c.",
    ]


def test_factors_are_decided_together():
    def effect(factor, p_holm, low, high, **more):
        return {"factor": factor, "p_holm": p_holm, "low": low, "high": high, "n": 5} | more

    main = [
        effect("size", 0.01, -0.4, -0.2),
        effect("dropout", 0.6, -0.05, 0.05),
        effect("layout", None, -0.3, 0.3),
        effect("units", 0.6, -0.5, 0.05, more_seeds=3),
    ]
    equal = [{"factor": "layout", "equivalent": True}]
    assert said(DECIDED | {"question": "factors"}, main=main, equivalence=equal) == [
        "Decided at the second look (5 seeds): layout, size, dropout.",
        "Not decided after 5 seeds: units; about 3 more seeds would at the difference seen.",
    ]


def test_an_average_that_an_interaction_contradicts_decides_nothing():
    within = {"factor": "a", "p_holm": 0.9, "low": -0.05, "high": 0.05, "n": 5, "more_seeds": None}
    rule = DECIDED | {"question": "factors"}
    assert said(rule, main=[within]) == ["Decided at the second look (5 seeds): a."]
    within["contradicted_by"] = ["b"]
    simple = {"factor": "a", "level": "b", "given": "b", "at": 1, "p_holm": 0.5}
    assert said(rule, main=[within], simple=[simple]) == ["Not decided after 5 seeds: a."]
    shown = [simple, simple | {"at": 2, "p_holm": 0.01}]
    assert said(rule, main=[within], simple=shown) == ["Decided at the second look (5 seeds): a."]


def test_a_factor_is_decided_by_all_contrasts_of_its_levels():
    contrast = {"factor": "optimizer", "reference": "adam", "n": 20}
    main = [
        contrast | {"level": "sgd", "p_holm": 0.9, "low": -0.5, "high": 0.5, "more_seeds": 1},
        contrast | {"level": "nadam", "p_holm": 0.001, "low": -0.5, "high": -0.2},
    ]
    assert said(DECIDED | {"question": "factors"}, main=main, equivalence=[]) == [
        "Not decided after 20 seeds: optimizer sgd against adam; about 1 more seed would at the "
        "difference seen."
    ]
    open_layout = [{"factor": "layout", "equivalent": False}]  # of which no effect can be told
    assert said(DECIDED | {"question": "factors"}, main=[], equivalence=open_layout) == []


def variant(n, halfwidth):
    return {"n": n, "test_error": {"mean": 1.0, "low": 1 - halfwidth, "high": 1 + halfwidth}}


def test_a_width_is_told_with_the_seeds_it_took():
    assert said(NARROW, variants=[variant(5, 0.05), variant(9, 0.05)]) == [
        "Intervals of +-0.05 points over seeds took 5 to 9 seeds (in two stages, whose width the "
        "first five seeds set)."
    ]
    (sentence,) = said(NARROW, variants=[variant(8, 0.05), variant(8, 0.07)])
    assert "took 8 seeds; 1 of 2 variants would take more than their 8 seeds, and" in sentence
    low = {"n": 8, "test_error": {"mean": 0.01, "low": 0.0, "high": 0.07}}  # no error is below 0
    (sentence,) = said(NARROW, variants=[variant(8, 0.05), low])
    assert "1 of 2 variants would take more" in sentence
    begun = {"n": 1, "test_error": {"mean": 1.0, "low": None, "high": None}}
    (sentence,) = said(NARROW, variants=[variant(8, 0.05), begun])
    assert "took 8 seeds; 1 of 2 variants would take more than their 1 seed, and" in sentence
    assert said(NARROW, variants=[variant(6, 0.07), variant(8, 0.09)]) == [
        "No interval over seeds is within +-0.05 points after 6 to 8 seeds (in two stages, whose "
        "width the first five seeds set)."
    ]


def test_a_rule_that_was_changed_comes_first():
    sentence, _ = said(NARROW | {"before": [DECIDED]}, variants=[variant(5, 0.05)])
    assert sentence.startswith(
        "The rule for adding seeds was changed after results were known: it was until each variant "
        "against k=3 is decided, within 0.1 points if equivalent, at most 20 seeds; it is now "
        "until intervals are within +-0.05 points, at most 30 seeds. "
    )


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"question": ["a", "b"]}, "until a against b is decided"),
        ({"question": "factors"}, "until the factors are decided"),
        ({"baseline": None}, "until the best variant is decided"),
    ],
)
def test_a_question_in_words(more, words):
    assert rule_text(DECIDED | more).startswith(words)


def test_without_a_rule_nothing_is_said():
    assert said(None) == []
