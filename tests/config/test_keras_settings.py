"""Keras' own file of settings, which must not change what networks compute."""

import sys

import pytest

import sidebyside as sbs
from sidebyside.errors import UserError
from sidebyside.files import write_json
from support.processes import run
from support.projects import TINY

_USUAL = {"floatx": "float32", "epsilon": 1e-07, "image_data_format": "channels_last"}


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """A function that writes Keras' file of settings."""
    folder = tmp_path / "keras"
    folder.mkdir()
    monkeypatch.setenv("KERAS_HOME", str(folder))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    return lambda content: write_json(folder / "keras.json", content)


@pytest.mark.parametrize(
    ("name", "value"),
    [("floatx", "float64"), ("epsilon", 1e-05), ("image_data_format", "channels_first")],
)
def test_what_would_change_results_unseen_is_refused(settings, name, value):
    settings(_USUAL | {name: value})
    with pytest.raises(
        UserError, match=f"keras.json sets {name}={value}, .*set it to {_USUAL[name]}"
    ):
        sbs.compose("model=mlp")


@pytest.mark.slow
def test_the_backend_of_other_projects_is_left_to_them(project, home, settings):
    settings(_USUAL | {"backend": "jax"})
    done = run([sys.executable, str(project / "pipelines" / "train.py"), *TINY], project, home)
    assert done.returncode == 0, done.stderr
