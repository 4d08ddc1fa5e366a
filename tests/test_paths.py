"""Which folder is the root, the home and that of the configs."""

from pathlib import Path

import pytest

from sidebyside import paths
from sidebyside.environment import set_environment
from support.projects import SOURCE


@pytest.fixture(autouse=True)
def _unset(monkeypatch):
    for name in ("SIDEBYSIDE_ROOT", "SIDEBYSIDE_HOME"):
        monkeypatch.setenv(name, "")


def test_a_clone_is_its_own_root_and_home():
    assert paths.root() == paths.home() == SOURCE
    assert paths.conf() == SOURCE / "conf"


def test_the_home_is_dvcs_main_workspace_unless_named(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "main"))
    assert paths.home() == tmp_path / "main"
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(tmp_path / "named"))
    assert paths.home() == tmp_path / "named"
    assert paths.runs() == tmp_path / "named" / "runs"
    assert paths.raw("d") == SOURCE / "data" / "raw" / "d"


def test_what_is_started_later_has_the_same_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIDEBYSIDE_HOME", "relative")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    hidden = ("SIDEBYSIDE_GPUS", "CUDA_VISIBLE_DEVICES")
    for name in (*hidden, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"):
        monkeypatch.setenv(name, "")
    set_environment()
    monkeypatch.chdir("/")
    assert paths.root() == tmp_path
    assert paths.home() == tmp_path / "relative"


@pytest.mark.parametrize("name", ["a", "A-1_b.c", "0"])
def test_plain_names_are_names(name):
    assert paths.checked_name("study", name) == name
    assert paths.results("d", name, "train") == Path(SOURCE, "results", "d", name, "train")
