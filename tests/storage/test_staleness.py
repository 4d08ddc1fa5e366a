"""Why runs are trained again: what is told of code and environment that changed."""

import json

import pytest

from sidebyside import compose, paths
from sidebyside.storage import store
from sidebyside.storage.staleness import Stored, explain

RECIPE = compose("training.epochs=1").recipe().as_json()
IDENTITY = {
    "recipe": RECIPE,
    "arrays": {"train_images": "1f"},
    "sources": {"engine/recipe.py": "aa", "engine/training/fit.py": "bb"},
    "environment": {"keras": "3.15.1", "threads": 1},
}


@pytest.fixture(autouse=True)
def _stored(tmp_path, monkeypatch):
    """A run store with the card of one run."""
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(tmp_path))
    card = paths.runs() / "0123" / store.CARD
    card.parent.mkdir(parents=True)
    card.write_text(json.dumps({"identity": IDENTITY}))


def test_what_changed_is_named():
    edited = IDENTITY | {
        "sources": {"engine/recipe.py": "aa", "engine/training/fit.py": "cc"},
        "environment": {"keras": "3.16.0", "threads": 1},
    }
    new = IDENTITY | {"recipe": RECIPE | {"epochs": 2}}
    told = explain([edited, new])
    assert told is not None
    assert told.startswith("1 of 2 runs to train were trained before, but ")
    assert "engine/training/fit.py, keras changed since" in told
    assert "recipe.py" not in told


def test_a_new_recipe_or_new_data_is_not_stale():
    assert explain([]) is None
    assert explain([IDENTITY | {"recipe": RECIPE | {"epochs": 2}}]) is None
    assert explain([IDENTITY | {"arrays": {"train_images": "2e"}, "sources": {}}]) is None


def test_a_recipe_from_before_a_choice_was_there_is_the_same(tmp_path):
    before = {name: value for name, value in RECIPE.items() if name != "precision"}
    (paths.runs() / "0123" / store.CARD).write_text(
        json.dumps({"identity": IDENTITY | {"recipe": before}})
    )
    assert explain([IDENTITY | {"environment": {"keras": "3.16.0"}}]) is not None


def test_a_run_that_this_version_cannot_train_is_passed_over():
    (paths.runs() / "0123" / store.CARD).write_text(
        json.dumps({"identity": IDENTITY | {"recipe": {"epochs": 1}}})
    )
    assert explain([IDENTITY]) is None


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"identity": {"recipe": 1}}'])
def test_a_damaged_card_is_passed_over(content):
    card = paths.runs() / "4567" / store.CARD
    card.parent.mkdir()
    card.write_text(content)
    edited = IDENTITY | {"environment": {"keras": "3.16.0", "threads": 1}}
    assert explain([edited]).startswith("1 of 1 runs to train were trained before, but keras")
    assert Stored().nearest(edited)[0] == "0123"
