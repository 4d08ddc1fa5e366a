"""The runs of a grid: what a study and a command line sweep."""

import pytest

from sidebyside.config.grid import points
from sidebyside.errors import UserError


def test_a_grid_is_every_combination():
    runs = points({"model.kernel_size": "3,5"}, ["training.epochs=1", "seed=0,1"])
    assert [run.factors for run in runs] == [{"kernel_size": size} for size in (3, 3, 5, 5)]
    assert all("training.epochs=1" in run.overrides for run in runs)
    assert [run.overrides[-1] for run in runs] == ["seed=0", "seed=1"] * 2


def test_the_command_line_takes_the_place_of_a_studys_sweep():
    (run,) = points({"model.kernel_size": "3,5"}, ["model.kernel_size=5"])
    assert run.factors == {"kernel_size": 5}


@pytest.mark.parametrize(
    "forced", ["seed=0,1", "data_format=channels_first", "protocol=clean,tf55k"]
)
def test_a_key_that_is_forced_is_the_key(forced):
    study = {"model.kernel_size": "3,5", "data_format": "channels_last", "seed": "range(0,3)"}
    plain, other = points(study, [forced]), points(study, [f"++{forced}"])
    assert [run.factors for run in other] == [run.factors for run in plain]
    assert [[own.lstrip("+") for own in run.overrides] for run in other] == [
        run.overrides for run in plain
    ]


def test_a_setting_that_a_study_adds_gives_way_to_that_of_the_command_line():
    (run,) = points({"+model.rate": "0.1,0.2"}, ["++model.rate=0.3"])
    assert (run.factors, run.overrides) == ({"rate": 0.3}, ["++model.rate=0.3"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["tracking.enabled=true,false"], "can't be swept: it changes no network"),
        (["store.uri=/a,/b"], "can't be swept: it changes no network"),
        (["++evaluate=true,false"], "can't be swept: it changes no network"),
        (["study=factorial", "dataset=mnist,mnist5k"], "dataset can't be swept in a study"),
    ],
)
def test_what_changes_no_network_is_not_swept(arguments, says):
    with pytest.raises(UserError, match=says):
        points({}, arguments)


@pytest.mark.parametrize("empty", ["seed=range(0,0)", "model.kernel_size=range(3,3,2)"])
def test_a_sweep_over_nothing_is_told(empty):
    with pytest.raises(UserError, match="This sweep has no runs, as one of its ranges is empty"):
        points({"optimizer": "adam,sgd"}, [empty])
