"""Studies of many variants: which pairs are tested, and factors without their model."""

import math
from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest

from sidebyside.analysis.analyse import analyse
from sidebyside.analysis.effects import fitting
from sidebyside.analysis.effects.balanced import is_balanced
from sidebyside.analysis.effects.contrasts import (
    coded,
    interaction_contrasts,
    main_contrasts,
    simple_contrasts,
)
from sidebyside.analysis.identical import identical_variants
from sidebyside.analysis.many import families
from sidebyside.analysis.many.parallel import each
from sidebyside.analysis.multiplicity import holm
from sidebyside.analysis.tables import factor_table
from sidebyside.config.schema import Study
from sidebyside.errors import UserError
from support.generated import FACTORS, evidence


@pytest.fixture(scope="module")
def sixty():
    """A generated study of sixty variants."""
    return evidence(FACTORS[60], seeds=4, images=500)


@pytest.fixture(scope="module")
def names(sixty):
    return list(dict.fromkeys(run.variant for run in sixty.runs))


def analysed(sixty, **chosen):
    return analyse(sixty, Study(name="generated", **chosen), []).content


def ranked(sixty, names):
    means = {n: np.mean([sixty.value(run) for run in sixty.of_variant(n)]) for n in names}
    return sorted(names, key=lambda name: means[name])


def test_of_many_variants_pairs_are_chosen(sixty, names):
    content = analysed(sixty, baseline=names[7], pairs=[[names[0], names[59]]])
    order = ranked(sixty, names)
    pairs = {frozenset((pair["a"], pair["b"])): pair["asked"] for pair in content["pairs"]}
    assert len(pairs) == len(content["pairs"])
    expected = {frozenset((name, names[7])): "baseline" for name in names if name != names[7]}
    expected = {frozenset(pair): "neighbours" for pair in pairwise(order)} | expected
    expected |= {frozenset((names[0], names[59])): "named"}
    assert pairs == expected
    assert content["asked"] == {
        "variants": 60,
        "all_pairs": 1770,
        "baseline": 59,
        "named": 1,
        "neighbours": len(pairs) - 60,
        "families": [
            {"pairs": 60, "corrected_for": 60, "chosen": False},
            {"pairs": len(pairs) - 60, "corrected_for": 1770, "chosen": True},
        ],
    }


def test_what_was_asked_and_what_the_runs_chose_are_families_of_their_own(sixty, names):
    content = analysed(sixty, baseline=names[7], pairs=[[names[0], names[59]]])
    asked = [pair for pair in content["pairs"] if pair["asked"] != "neighbours"]
    chosen = [pair for pair in content["pairs"] if pair["asked"] == "neighbours"]
    for family, size in ((asked, 0), (chosen, 1770)):
        for p in ("p", "p_equivalent"):
            corrected = holm([pair[p] for pair in family], size)
            assert [pair[f"{p}_holm"] for pair in family] == pytest.approx(corrected, rel=1e-6)
    assert {pair["corrected_for"] for pair in asked} == {60}
    assert content["power"]["pairs"] == 60


def test_a_baseline_that_validation_chose_counts_as_all_pairs(sixty):
    content = analysed(sixty)
    assert {pair["corrected_for"] for pair in content["pairs"]} == {math.comb(60, 2)}
    assert content["asked"]["families"][0]["chosen"]


@pytest.mark.slow
def test_of_few_variants_all_pairs_are_told_as_ever(sixty, names, monkeypatch):
    few = replace(sixty, runs=[run for run in sixty.runs if run.variant in names[:20]])
    content = analysed(few)
    assert "asked" not in content
    assert len(content["pairs"]) == len(list(combinations(names[:20], 2)))
    assert all("asked" not in pair for pair in content["pairs"])
    monkeypatch.setattr(families, "ALL_PAIRS", 19)
    assert len(analysed(few)["pairs"]) < 2 * 20


@pytest.mark.slow
def test_naming_a_pair_that_is_tested_anyway_changes_no_family(sixty, names):
    content = analysed(sixty, baseline=names[7])
    named = analysed(sixty, baseline=names[7], pairs=[[names[7], names[30]]])
    assert named.pop("named") == [names[7], names[30]]
    assert named == content


def test_a_pair_that_names_no_variant_is_refused(sixty, names):
    with pytest.raises(UserError, match=r"study\.pairs names kernel_size=7, which is no variant"):
        analysed(sixty, pairs=[[names[0], "kernel_size=7"]])


@pytest.mark.parametrize("unbalanced", [False, True])
def test_a_balanced_design_needs_no_model(sixty, monkeypatch, unbalanced):
    runs = factor_table(sixty)
    codes, levels = coded(runs, list(sixty.runs[0].factors))
    seeds = runs["seed"].to_numpy()
    if unbalanced:
        codes, seeds = {name: code[1:] for name, code in codes.items()}, seeds[1:]
        runs = runs[1:]
    families_of = [main_contrasts(levels), interaction_contrasts(levels), *simple_contrasts(levels)]
    contrasts = [contrast for family in families_of for _, contrast in family]
    values = runs["test_value"].to_numpy(float)
    by_model = fitting.fit(codes, seeds, contrasts, values)
    assert is_balanced(codes, seeds) != unbalanced
    monkeypatch.setattr(fitting, "MOST", 10)
    if not unbalanced:
        monkeypatch.delattr(fitting, "model_of")  # it isn't asked
    directly = fitting.fit(codes, seeds, contrasts, values)
    assert by_model.known == directly.known == list(range(len(contrasts)))
    for name in ("weights", "variances", "freedoms"):
        assert getattr(directly, name) == pytest.approx(getattr(by_model, name), abs=1e-9), name


def test_identical_variants_are_found_among_many(sixty, names):
    again = [
        replace(run, variant="again", key=f"again {run.seed}")
        for run in sixty.of_variant(names[30])
    ]
    half = [
        replace(run, variant="half", key=f"half {run.seed}", weights_digest=f"{run.seed}")
        if run.seed
        else replace(run, variant="half", key="half 0")
        for run in sixty.of_variant(names[31])
    ]
    assert identical_variants([*sixty.runs, *again, *half]) == [[names[30], "again"]]


def test_threads_keep_the_order():
    assert each(lambda number: number**2, range(200)) == [number**2 for number in range(200)]
