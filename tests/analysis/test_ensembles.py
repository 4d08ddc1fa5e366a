"""The networks of a variant together."""

from dataclasses import replace

import numpy as np
import pytest

from sidebyside.analysis.ensembles import ensembles
from sidebyside.storage.evidence import Ensemble


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
    assert together.low < error < together.high
    assert together.gain["low"] < together.gain["mean"] < together.gain["high"]


def test_the_mean_gain_is_of_variants_with_several_networks(committed_factorial):
    first, second = committed_factorial.ensembles[:2]
    alone = Ensemble(second.variant, 1, second.predicted)
    evidence = replace(committed_factorial, ensembles=[first, alone])
    both = ensembles(evidence, [first.variant, second.variant])
    assert both.mean_gain is not None
    assert both.mean_gain["mean"] == pytest.approx(both.variants[0].gain["mean"])
    only_one = ensembles(evidence, [second.variant])
    assert (len(only_one.variants), only_one.mean_gain) == (1, None)
