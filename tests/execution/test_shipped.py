"""Everything that is shipped under conf/ trains: one batch of each, on real images."""

import json

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


@pytest.mark.parametrize("study", shipped("study"))
def test_every_variant_of_a_shipped_study_trains(project, trained, study):
    variants = compose_grid([f"study={study}", "seed=0"])
    assert len({json.dumps(factors) for _, factors in variants}) == len(variants) > 1
    for config, _ in variants:
        assert config.study.name == study
        assert_it_trains(config, project, trained)
