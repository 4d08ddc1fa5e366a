"""The configs of a grid: as Hydra composes each of them, and composed as seldom as can be."""

from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from sidebyside.config.composing import compose_points
from sidebyside.config.grid import Point, points
from sidebyside.config.validate import check
from sidebyside.errors import UserError
from support.projects import SOURCE

pytestmark = pytest.mark.slow

STUDIES = sorted(path.stem for path in (SOURCE / "conf" / "study").glob("*.yaml"))
LEVELS = {
    "model": ["conv_pair", "conv_single"],
    "model.kernel_size": ["3", "5"],
    "model.dropout": ["true", "false"],
    "model.blocks": ["[{type:conv,filters:2},{type:dropout,rate:0.5},{type:flatten}]"],
    "optimizer": ["adam", "sgd"],
    "optimizer.learning_rate": ["0.1", "1e-3"],
    "training.batch_size": ["32", "${training.epochs}"],
    "training.epochs": ["2", "${seed}", "7"],
    "training": ["{batch_size:16}"],
    "+training.ema": ["0.5"],
    "++training.threads": ["2"],
    "data_format": ["channels_last", "channels_first"],
    "schedule": ["constant", "cosine"],
    "seed": ["1", "2", "5"],
}


class Counted:
    """Composes, and counts how often."""

    def __init__(self, compose):
        self.times = 0
        self._compose = compose

    def __call__(self, overrides):
        self.times += 1
        return self._compose(*overrides)


def _as_hydra(compose, point):
    """Return content and config of a point, composed alone."""
    config = compose(*point.overrides)
    if "hydra" in config:
        config = OmegaConf.masked_copy(config, [key for key in config if key != "hydra"])
    return OmegaConf.to_container(config), check(config)


@pytest.fixture(scope="module")
def of_hydra(tmp_path_factory, project):
    """Hydra's own composition, for tests that are many in one."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIDEBYSIDE_ROOT", str(project))
        patch.setenv("SIDEBYSIDE_HOME", str(tmp_path_factory.mktemp("home")))
        with initialize_config_dir(str(project / "conf"), version_base="1.3"):
            yield lambda *overrides: hydra_compose("config", overrides=list(overrides))


@st.composite
def grids(draw):
    """Draw the keys of a grid in some order, each with a few of its levels."""
    keys = draw(st.lists(st.sampled_from(sorted(LEVELS)), unique=True, min_size=1, max_size=4))
    return {
        key: draw(st.lists(st.sampled_from(LEVELS[key]), unique=True, min_size=1, max_size=2))
        for key in keys
    }


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(grids())
def test_configs_are_those_of_hydra_whatever_is_set(of_hydra, levels):
    sets = product(*([f"{key}={level}" for level in own] for key, own in levels.items()))
    for point in (grid := [Point(list(each), {}) for each in sets]):
        try:
            _as_hydra(of_hydra, point)
        except UserError:
            with pytest.raises(UserError):
                list(compose_points(grid, lambda overrides: of_hydra(*overrides)))
            return
    composed = list(compose_points(grid, lambda overrides: of_hydra(*overrides)))
    for own, point in zip(composed, grid, strict=True):
        assert (own.content, own.config) == _as_hydra(of_hydra, point)


@pytest.mark.parametrize("study", STUDIES)
def test_shipped_studies_are_composed_as_hydra_does(of_hydra, study):
    file = OmegaConf.load(SOURCE / "conf" / "study" / f"{study}.yaml")
    params = OmegaConf.to_container(file)["hydra"]["sweeper"]["params"] | {"seed": "0,3"}
    grid = points(params, [f"study={study}"])
    composed = list(compose_points(grid, lambda overrides: of_hydra(*overrides)))
    for own, point in list(zip(composed, grid, strict=True))[:: max(1, len(grid) // 4)]:
        assert (own.content, own.config) == _as_hydra(of_hydra, point)


def test_only_what_chooses_files_is_composed_again(of_hydra):
    counted = Counted(of_hydra)
    params = {"model.kernel_size": "3,5", "optimizer": "adam,sgd", "training.batch_size": "16,32"}
    grid = points(params, ["training.epochs=1", "seed=0,1,7"])
    composed = list(compose_points(grid, counted))
    assert (len(composed), counted.times) == (24, 2)
    assert [own.config.seed for own in composed] == [0, 1, 7] * 8
    assert [own.content["seed"] for own in composed] == [0, 1, 7] * 8


def test_a_seed_that_is_forced_is_composed_once_too(of_hydra):
    counted, grid = Counted(of_hydra), points({"seed": "range(0,9)"}, ["++seed=3,5"])
    composed = list(compose_points(grid, counted))
    assert counted.times == 1
    for own, point in zip(composed, grid, strict=True):
        assert (own.content, own.config) == _as_hydra(of_hydra, point)


@pytest.mark.parametrize("seed", ["-1", "x", "1.5", "true"])
def test_a_seed_that_is_none_is_refused(of_hydra, seed):
    grid = points({"model.kernel_size": "3,5"}, [f"seed=0,{seed}"])
    with pytest.raises(UserError, match=r"^seed="):
        list(compose_points(grid, lambda overrides: of_hydra(*overrides)))


def test_what_follows_from_the_seed_is_not_shared(of_hydra):
    grid = points({"training.batch_size": "${seed}"}, ["seed=3,4"])
    composed = list(compose_points(grid, lambda overrides: of_hydra(*overrides)))
    assert [own.config.training.batch_size for own in composed] == [3, 4]
