"""The run key: what decides a result is in it, and DVC watches the same sources."""

import os
import shutil
import subprocess
import sys
from typing import Any

import pytest
import yaml

from sidebyside.config.validate import check
from sidebyside.data.prepare import prepare
from sidebyside.engine.training.numerics import resolve
from sidebyside.files import read_json, write_json
from sidebyside.storage import keys
from support.projects import SOURCE


def identity(compose, *overrides: str) -> dict[str, Any]:
    config = check(compose(*overrides))
    arrays = prepare(config.dataset, config.data_format)
    return keys.identity(config.recipe(), arrays.digest, resolve(config.training.numerics))


def key(compose, *overrides: str) -> str:
    return keys.run_key(identity(compose, *overrides))


@pytest.mark.parametrize(
    "override",
    [
        "seed=1",
        "data_format=channels_first",
        "model.kernel_size=5",
        "model.dropout=false",
        "optimizer.learning_rate=0.002",
        "+optimizer.beta_1=0.8",
        "training.epochs=4",
        "training.batch_size=64",
        "training.threads=2",
        "training.numerics=native",
        "training.precision=mixed_bfloat16",
    ],
)
def test_what_decides_a_result_changes_the_key(compose, override):
    assert key(compose, override) != key(compose)


@pytest.mark.parametrize(
    "override", ["training.seeds=9", "evaluate=false", "tracking.experiment=other", "seed=0"]
)
def test_what_changes_no_result_keeps_the_key(compose, override):
    assert key(compose, override) == key(compose)


def test_a_division_of_the_images_is_in_the_key_and_in_the_task(compose):
    whole = identity(compose, "protocol=kfold5")
    divided = [whole | {"division": digest} for digest in ("a", "b")]
    assert len({keys.run_key(own) for own in [whole, *divided]}) == 3
    assert len({keys.task(own) for own in [whole, *divided]}) == 3


def test_onednn_changes_the_key(compose, monkeypatch):
    before = key(compose)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert key(compose) != before


def test_onednn_switched_on_by_hand_leaves_the_key(compose, monkeypatch):
    before = key(compose)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
    assert key(compose) == before
    assert identity(compose)["environment"]["onednn"] == "default"  # as in committed keys


@pytest.mark.parametrize(
    ("override", "kept"),
    [
        ("model=mlp", False),
        ("training.numerics=native", True),
        ("model.blocks=[{type:conv,filters:2},{type:batch_norm},{type:flatten}]", True),
    ],
)
def test_a_processor_is_in_the_key_where_bits_depend_on_it(compose, override, kept):
    overrides = ["model.dropout=null"] if "blocks" in override else []
    assert ("cpu" in identity(compose, override, *overrides)["environment"]) is kept


ROOMS = {
    "download": {"config", "data"},
    "preprocess": {"config", "data"},
    "train": {"analysis", "config", "data", "engine", "storage"},
    "evaluate": {"config", "data", "engine", "storage"},
    "compare": {"analysis", "config", "data", "engine", "report", "storage"},
}


def test_dvc_watches_the_rooms_that_decide():
    stages = yaml.safe_load((SOURCE / "dvc.yaml").read_text())["stages"]
    assert stages.keys() == ROOMS.keys()
    for name, stage in stages.items():
        sources = {path for path in stage["deps"] if path.startswith("src/")}
        assert sources == {f"src/sidebyside/{room}" for room in ROOMS[name]}
        for path in stage["deps"]:
            if path.startswith(("src/", "pipelines/", "conf/")):
                chosen = path.replace("${select.dataset}", "mnist5k")
                assert (SOURCE / chosen).exists()


def test_an_edit_of_any_module_that_trains_changes_the_key(tmp_path):
    copy = shutil.copytree(SOURCE / "src", tmp_path / "src")
    before = key_of_copy(copy)
    for module in sorted((copy / "sidebyside" / "engine" / "training").glob("*.py")):
        text = module.read_text()
        module.write_text(f"{text}# edited\n")
        assert key_of_copy(copy) != before, module
        module.write_text(text)
    assert key_of_copy(copy) == before


def key_of_copy(source) -> str:
    """Return what run keys of a copy of the package hold of its code."""
    return printed(
        "from sidebyside.files import source_digests as d; print(d('engine/training'))", source
    )


def printed(script, source) -> str:
    """Return what a script prints that imports a copy of the package."""
    command = [sys.executable, "-c", script]
    environment = os.environ | {"PYTHONPATH": str(source)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.slow
def test_workers_vouch_for_the_code_that_they_were_forked_with(tmp_path):
    copy = shutil.copytree(SOURCE / "src", tmp_path / "src")
    folders = ["engine/training", "engine/scoring", "tracking/published"]
    digests = f"print(*map(sidebyside.files.source_digests, {folders}))"
    before = printed(f"import sidebyside.files; {digests}", copy)
    edit = f"""
import pathlib, sidebyside.execution.executors.worker_imports
for folder in {folders}:
    for module in pathlib.Path({str(copy)!r}, "sidebyside", folder).glob("*.py"):
        module.write_text("# edited")
"""
    assert printed(f"{edit}{digests}", copy) == before
    assert printed(f"import sidebyside.files; {digests}", copy) != before


def test_nothing_outside_the_key_rounds_what_was_trained(tmp_path):
    history = {"loss": [0.12345678901234]}
    write_json(tmp_path / "history.json", history)
    assert read_json(tmp_path / "history.json") == history
