"""Claims: what a report states, tested again on other runs."""

from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest

from sidebyside import compose
from sidebyside.analysis.analyse import analyse
from sidebyside.config.factors import variant_name
from sidebyside.config.schema import Study
from sidebyside.report.text.claims import claims
from sidebyside.report.text.statements import statements
from sidebyside.storage.evidence import Evidence, RunEvidence
from sidebyside.verify.claims import retest
from sidebyside.verify.fresh_seeds import fresh_runs, variants_of

IMAGES = 2000
TARGET = np.zeros(IMAGES, np.uint8)
STUDY = Study(name="made", expected_equal=["layout"], margin=0.5)


def run(factors, seed, error) -> RunEvidence:
    """Return a run with an error of so many percent."""
    predicted = TARGET.copy()
    predicted[: round(error * IMAGES / 100)] = 1
    return RunEvidence(
        key=f"{variant_name(factors)}-{seed}",
        variant=variant_name(factors),
        factors=factors,
        seed=seed,
        identity={"recipe": {"protocol": "clean", "seed": seed}},
        parameters=1,
        weights_digest=f"{variant_name(factors)}-{seed}",
        history={"accuracy": [0.9], "val_accuracy": [0.9]},
        test_loss=0.1,
        layout=None,
        predicted=predicted,
        certainty=np.ones(IMAGES, np.float16),
    )


def study(seeds, effect=0.0, together=0.0, apart=0.0, sd=0.15) -> Evidence:
    """Return a study of kernel x layout, the second level of each worse by so many points.

    ``together`` is what the second levels of both do beside that.
    """
    runs = []
    for kernel, layout in product((3, 5), ("last", "first")):
        for seed in seeds:
            noise = np.random.default_rng([seed, kernel, len(layout)]).normal(0, sd)
            error = 10 + effect * (kernel == 5) + apart * (layout == "first") + noise
            error += together * (kernel == 5 and layout == "first")
            runs.append(run({"kernel": kernel, "layout": layout}, seed, error))
    empty = np.zeros((0, 28, 28), np.uint8)
    nothing = np.zeros(0, np.int32)
    return Evidence("made", "made", runs, TARGET, empty, TARGET[:0], [], [], nothing, empty)


@cache
def claims_of(**made):
    """Return the claims of a study as `study` makes it."""
    return claimed(study(OLD, **made))[1]


def claimed(evidence):
    analysis = analyse(evidence, STUDY, [])
    return analysis, claims(analysis)


def verdicts(definite, evidence):
    return {
        (one.claim.kind, *map(str, one.claim.subject.values())): one.verdict
        for one in retest(definite, evidence, STUDY.margin)
    }


OLD, FRESH = range(6), range(6, 12)
KERNEL = ("main effect", "kernel", "5", "3")
LAYOUT = ("equivalence", "layout", "['last', 'first']")


def test_what_is_claimed_is_what_the_report_says():
    analysis, definite = claimed(study(OLD, effect=2, together=1))
    text = " ".join(statements(analysis))
    kinds = [claim.kind for claim in definite]
    assert {"main effect", "interaction", "pair"} <= set(kinds)
    for claim in definite:
        if claim.kind in ("main effect", "interaction"):
            assert claim.text[1:] in text  # a sentence begins with a capital
    verdict_of = {(pair["a"], pair["b"]): pair["verdict"] for pair in analysis.content["pairs"]}
    stated = {names for names, verdict in verdict_of.items() if verdict != "can't tell"}
    of_pairs = [claim for claim in definite if "pair" in claim.kind]
    assert {(claim.subject["a"], claim.subject["b"]) for claim in of_pairs} == stated
    assert verdicts(definite, study(FRESH, effect=2, together=1)) == dict.fromkeys(
        [(claim.kind, *map(str, claim.subject.values())) for claim in definite], "holds"
    )


def test_no_number_becomes_text_by_its_last_bits():
    content = claimed(study(OLD, effect=2, together=1))[0].content
    for entry in (*content["effects"]["main"], *content["effects"]["interactions"]):
        for name in ("difference", "low", "high", "p"):
            assert entry[name] == float(f"{entry[name]:.9g}")
    assert 0 < min(entry["p"] for entry in content["effects"]["main"]) < 1e-4  # kept small


def of_one_network(seeds, digests=str):
    """Return a pair in question whose runs have the weights of these digests."""
    runs = [
        replace(one, weights_digest=digests(one.seed))
        for one in study(seeds, sd=0).runs
        if one.factors["kernel"] == 3
    ]
    asked = sorted({one.variant for one in runs})
    rule = {"until": "decided", "max_seeds": 20, "question": asked, "margin": 0.5}
    return replace(study(seeds), runs=runs, stopping=rule | {"baseline": None})


def test_a_pair_of_identical_networks_holds_if_they_are_again():
    (claim,) = (own for own in claimed(of_one_network(OLD))[1] if "pair" in own.kind)
    assert "bit-identical" in claim.text
    (again,) = retest([claim], of_one_network(FRESH), 0.5)
    assert (again.verdict, again.n, again.difference) == ("holds", len(FRESH), 0)
    (few,) = retest([claim], of_one_network(FRESH[:1]), 0.5)
    assert few.verdict == "holds"


def test_a_pair_of_identical_networks_fails_if_they_differ_however_little():
    (claim,) = (own for own in claimed(of_one_network(OLD))[1] if "pair" in own.kind)
    other = of_one_network(FRESH)
    runs = [
        replace(one, weights_digest=f"{one.key} again") if one.seed == FRESH[-1] else one
        for one in other.runs
    ]
    (again,) = retest([claim], replace(other, runs=runs), 0.5)
    assert (again.verdict, again.difference) == ("fails", 0)
    assert again.p_holm < 0.05  # within the margin they are


@pytest.mark.parametrize(("kernels", "verdict"), [((), "holds"), ((5,), "fails")])
def test_levels_of_bit_identical_networks_fail_if_some_are_not(kernels, verdict):
    def of_layouts(seeds, kernels=()):
        made = study(seeds, sd=0)
        runs = [
            one
            if one.factors["kernel"] in kernels
            else replace(one, weights_digest=f"{one.factors['kernel']}-{one.seed}")
            for one in made.runs
        ]
        return replace(made, runs=runs)

    definite = [own for own in claimed(of_layouts(OLD))[1] if own.kind == "equivalence"]
    assert [claim.text for claim in definite] == [
        "last and first (layout) give bit-identical networks"
    ]
    assert verdicts(definite, of_layouts(FRESH, kernels)) == {LAYOUT: verdict}


def test_what_cannot_be_told_is_no_claim():
    _, definite = claimed(study(range(2), sd=1))
    assert definite == []


def test_a_claim_of_factors_is_none_where_protocols_are_mixed():
    evidence = study(OLD, effect=2)
    runs = [
        replace(one, identity={"recipe": {"protocol": "train60k"}}) if "=5" in one.variant else one
        for one in evidence.runs
    ]
    kinds = {claim.kind for claim in claimed(replace(evidence, runs=runs))[1]}
    assert "pair" in kinds
    assert "main effect" not in kinds


@pytest.mark.parametrize(
    ("old", "fresh", "verdict"),
    [
        (2, study(FRESH, effect=2), "holds"),
        (-2, study(FRESH, effect=-2), "holds"),
        (2, study(FRESH, effect=-2), "fails"),
        (-2, study(FRESH, effect=2), "fails"),
        (2, study(FRESH, sd=0), "fails"),  # no noise and no difference: nothing of what was claimed
        (2, study(FRESH, sd=0.1), "fails"),  # nothing of what was claimed that matters
        (0.4, study(FRESH, sd=0.1), "underpowered"),  # what was claimed was within the margin
        (2, study(FRESH, effect=2, sd=5), "underpowered"),
        (2, study(range(6, 7), effect=2), "underpowered"),
    ],
    ids=[
        "again",
        "again, less",
        "reversed",
        "reversed, less",
        "none",
        "next to none",
        "little",
        "noisy",
        "one seed",
    ],
)
def test_a_difference_holds_fails_or_stays_open(old, fresh, verdict):
    definite = claims_of(effect=old)
    assert verdicts(definite, fresh)[KERNEL] == verdict


@pytest.mark.parametrize("old", [2, -2])
@pytest.mark.parametrize("fresh", [1.8, -1.8])
def test_a_difference_of_fresh_runs_is_positive_where_it_is_as_claimed(old, fresh):
    definite = [claim for claim in claims_of(effect=old) if not claim.of_equivalence]
    assert {claim.kind for claim in definite} >= {"main effect", "pair"}
    for one in retest(definite, study(FRESH, effect=fresh), STUDY.margin):
        difference, low, high = one.claim.turned(one.difference, one.low, one.high)
        assert low < difference < high
        assert difference == pytest.approx(1.8 if old * fresh > 0 else -1.8, abs=0.5)


@pytest.mark.parametrize(
    ("fresh", "verdict"),
    [
        (study(FRESH), "holds"),
        (study(FRESH, apart=2), "fails"),
        (study(FRESH, apart=-2), "fails"),
        (study(FRESH, apart=0.5), "underpowered"),
        (study(FRESH, sd=5), "underpowered"),
    ],
    ids=["again", "outside", "outside below", "on the margin", "noisy"],
)
def test_an_equivalence_holds_fails_or_stays_open(fresh, verdict):
    definite = claims_of()
    assert verdicts(definite, fresh)[LAYOUT] == verdict
    pairs = {key: one for key, one in verdicts(definite, fresh).items() if key[0] != "equivalence"}
    assert {key[0] for key in pairs} == {"equivalent pair"}
    across = [one for (_, a, b), one in pairs.items() if a[-4:] != b[-4:]]  # the layouts
    assert across == [verdict, verdict]


def test_p_values_are_corrected_over_the_claims_of_a_kind_alone():
    definite = claims_of(effect=2)
    pairs = [claim for claim in definite if claim.kind == "pair"]
    assert len(pairs) == 4
    fresh = study(FRESH, effect=0.3)
    together = {one.claim.text: one.p_holm for one in retest(pairs, fresh, 0.5)}
    alone = {claim.text: retest([claim], fresh, 0.5)[0].p_holm for claim in pairs}
    smallest = min(alone, key=alone.__getitem__)
    assert together[smallest] == pytest.approx(min(1, 4 * alone[smallest]))
    with_effects = {one.claim.text: one.p_holm for one in retest(definite, fresh, 0.5)}
    assert {text: with_effects[text] for text in together} == together


def test_fresh_runs_are_of_those_variants_that_a_claim_is_about():
    evidence = study(OLD, effect=2)
    definite = claims_of(effect=2)
    names = list(dict.fromkeys(one.variant for one in evidence.runs))
    pair = next(claim for claim in definite if claim.kind == "pair")
    assert variants_of([pair], evidence) == [
        name for name in names if name in pair.subject.values()
    ]
    effect = next(claim for claim in definite if claim.kind == "main effect")
    assert variants_of([effect], evidence) == names
    assert variants_of([], evidence) == []


def test_fresh_seeds_are_above_those_that_diverged():
    evidence, config = study(OLD), compose()
    diverged = f"{evidence.runs[0].variant},seed=17 (diverged in epoch 1: loss is nan)"
    identity = {"recipe": config.recipe().as_json()}
    evidence = replace(
        evidence,
        missing=[diverged],
        runs=[replace(own, identity=identity) for own in evidence.runs],
    )
    fresh = fresh_runs(evidence, [evidence.runs[0].variant], 2, config)
    assert [config.seed for config, _ in fresh] == [18, 19]
