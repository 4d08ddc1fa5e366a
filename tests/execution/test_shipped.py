"""What is shipped under conf/ trains: one batch of each, on real images."""

import json
from itertools import combinations

import numpy as np
import pytest

from sidebyside import compose
from sidebyside.config.compose import compose_grid
from support.networks import train_one_batch
from support.projects import SOURCE, TINY

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread", "home")]


def shipped(group: str) -> list[str]:
    """Return the names of a group's files under conf/."""
    return sorted(path.stem for path in (SOURCE / "conf" / group).glob("*.yaml"))


@pytest.fixture(scope="module")
def trained():
    """What came of the first batch, by what it depends on: many choices share it."""
    return {}


def assert_it_trains(config, project, trained) -> None:
    recipe = config.recipe().as_json()
    for of_later_batches in ("protocol", "epochs"):
        del recipe[of_later_batches]
    batch = json.dumps(recipe)
    if batch not in trained:
        trained[batch] = train_one_batch(config, project)
    loss, changed, probabilities = trained[batch]
    assert np.isfinite(loss)
    assert all(changed.values()), changed
    assert probabilities.shape == (config.training.batch_size, config.dataset.classes)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    "choice",
    [f"{group}={name}" for group in ("model", "preset") for name in shipped(group)],
)
def test_a_shipped_network_trains(project, trained, choice):
    assert_it_trains(compose(choice), project, trained)


@pytest.mark.parametrize("name", shipped("optimizer"))
def test_a_shipped_optimizer_trains(project, trained, name):
    assert_it_trains(compose(f"optimizer={name}", *TINY), project, trained)


def pairs(factors: dict) -> set:
    """Return every two levels of a variant, or the one that it has."""
    levels = sorted((name, str(level)) for name, level in factors.items())
    return set(combinations(levels, min(2, len(levels))))


def few_with_all_pairs(variants):
    """Yield configs until every two levels that meet in a variant have met in one of these."""
    left = {pair for _, factors in variants for pair in pairs(factors)}
    while left:
        config, factors = max(variants, key=lambda variant: len(pairs(variant[1]) & left))
        left -= pairs(factors)
        yield config


@pytest.mark.parametrize("study", shipped("study"))
def test_every_two_levels_of_a_shipped_study_train_together(project, trained, study):
    variants = compose_grid([f"study={study}", "seed=0"])
    assert len({json.dumps(factors) for _, factors in variants}) == len(variants) > 1
    assert {config.study.name for config, _ in variants} == {study}
    for config in few_with_all_pairs(variants):
        assert_it_trains(config, project, trained)
