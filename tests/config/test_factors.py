"""Names of factors and variants, and the points of a grid."""

import pytest

from sidebyside import UserError
from sidebyside.config.factors import as_level, short_names, variant_name
from sidebyside.config.grid import points

STUDY = {"model.kernel_size": "3,5", "optimizer": "adam,adadelta", "seed": "range(0,2)"}


def test_a_factor_is_called_by_its_last_part_where_that_is_unique():
    assert short_names(["model.kernel_size", "a.rate", "b.rate", "optimizer"]) == {
        "model.kernel_size": "kernel_size",
        "a.rate": "a_rate",
        "b.rate": "b_rate",
        "optimizer": "optimizer",
    }
    own = {"model.seed": "model_seed", "model.run": "model_run", "protocol": "protocol"}
    assert short_names(list(own)) == own  # a run has a seed of its own


def test_a_variant_is_named_as_its_levels_are_written():
    levels = {"size": 3, "dropout": True, "rate": 0.5, "baseline": None, "optimizer": "adam"}
    assert variant_name(levels) == "size=3,dropout=true,rate=0.5,baseline=null,optimizer=adam"
    assert variant_name({}) == ""


def test_what_is_no_plain_value_becomes_text():
    assert [as_level(value) for value in (1, None, [1, 2])] == [1, None, "[1, 2]"]


def test_a_grid_has_each_combination_once():
    grid = points(STUDY, [])
    assert len(grid) == len({tuple(point.overrides) for point in grid}) == 8
    assert {variant_name(point.factors) for point in grid} == {
        f"kernel_size={size},optimizer={name}" for size in (3, 5) for name in ("adam", "adadelta")
    }


def test_the_command_line_takes_the_place_of_a_study():
    grid = points(STUDY, ["seed=7", "optimizer=adam", "model.dropout=true,false"])
    assert [point.factors for point in grid] == [
        {"kernel_size": size, "optimizer": "adam", "dropout": dropout}
        for size in (3, 5)
        for dropout in (True, False)
    ]
    assert all("seed=7" in point.overrides for point in grid)


@pytest.mark.parametrize("argument", ["evaluate=true,false", "tracking.uri=a,b"])
def test_what_changes_no_network_is_not_swept(argument):
    with pytest.raises(UserError, match="can't be swept: it changes no network"):
        points({}, [argument])


def test_a_sweep_is_of_one_study():
    with pytest.raises(UserError, match="study=a,b can't be swept: each study is a sweep of its"):
        points({}, ["study=a,b"])


def test_a_study_is_of_one_dataset():
    assert len(points({}, ["dataset=mnist,mnist5k"])) == 2
    with pytest.raises(UserError, match="dataset can't be swept in a study"):
        points(STUDY, ["study=factorial", "dataset=mnist,mnist5k"])
