"""The networks of a variant together."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from sidebyside.analysis.ensembles import ensembles
from sidebyside.storage.evidence import Ensemble
from sidebyside.storage.evidence_files import FILE, read_evidence, write_evidence


def test_an_ensemble_is_held_against_its_members(committed_factorial):
    known = committed_factorial.ensembles[0]
    (together,) = ensembles(committed_factorial, [known.variant]).variants
    runs = committed_factorial.of_variant(known.variant)
    target = committed_factorial.target
    members = [100 * np.mean(run.predicted != target) for run in runs]
    error = 100 * np.mean(known.predicted != target)
    assert together.n == len(runs) == 5
    assert together.mean_of_members == pytest.approx(np.mean(members))
    assert together.gain["mean"] == pytest.approx(np.mean(members) - error)
    assert together.value == pytest.approx(error)
    wrong = int((known.predicted != target).sum())
    ends = stats.binomtest(wrong, len(target)).proportion_ci(method="wilson")
    assert (together.low, together.high) == pytest.approx((100 * ends.low, 100 * ends.high))
    assert together.gain["low"] < together.gain["mean"] < together.gain["high"]


def test_whose_networks_are_together_is_read_or_they_are_left_out(committed_factorial, tmp_path):
    first, second, *_ = committed_factorial.ensembles
    some = replace(first, keys=first.keys[:2])
    write_evidence(tmp_path / FILE, replace(committed_factorial, ensembles=[some, second]))
    read = read_evidence(tmp_path / FILE)
    assert [own.keys for own in read.ensembles] == [some.keys, second.keys]
    assert ensembles(read, [first.variant]).variants[0].n == 2
    with np.load(tmp_path / FILE) as stored:  # as a file from before they were named
        before = {name: stored[name] for name in stored.files if name != "ensemble_keys"}
    np.savez(tmp_path / FILE, **before)
    assert [own.variant for own in read_evidence(tmp_path / FILE).ensembles] == [second.variant]


def test_the_mean_gain_is_of_variants_with_several_networks(committed_factorial):
    first, second = committed_factorial.ensembles[:2]
    alone = Ensemble(second.variant, second.keys[:1], second.predicted)
    evidence = replace(committed_factorial, ensembles=[first, alone])
    both = ensembles(evidence, [first.variant, second.variant])
    assert both.mean_gain is not None
    assert both.mean_gain["mean"] == pytest.approx(both.variants[0].gain["mean"])
    only_one = ensembles(evidence, [second.variant])
    assert (len(only_one.variants), only_one.mean_gain) == (1, None)
