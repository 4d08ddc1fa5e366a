"""Finished runs by name, and a study's best."""

import json

import pytest

from sidebyside import UserError, paths
from sidebyside.config.schema import Tracking
from sidebyside.files import write_json
from sidebyside.tracking.lookup import best_run, find_run, load_run

NOWHERE = Tracking(uri=None, experiment="sidebyside")
RECIPE = {
    "dataset": "d",
    "model": {"name": "m", "blocks": [{"type": "flatten"}]},
    "optimizer": {"name": "o", "_target_": "keras.optimizers.Adam", "learning_rate": 0.1},
    "data_format": "channels_last",
    "seed": 0,
    "protocol": "clean",
    "epochs": 2,
    "batch_size": 8,
    "threads": 1,
}


@pytest.fixture(autouse=True)
def _workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(tmp_path))
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(tmp_path))


def stored(folder, accuracies=(0.8, 0.9), protocol="clean"):
    """Write what a finished run leaves but for its network."""
    folder.mkdir(parents=True)
    history = {"val_accuracy": list(accuracies)} if accuracies else {}
    write_json(folder / "history.json", history)
    card = {"key": folder.name, "files": {}, "parameters": 1, "weights_digest": ""}
    write_json(
        folder / "run.json", card | {"identity": {"recipe": RECIPE | {"protocol": protocol}}}
    )


def test_the_first_digits_of_a_key_are_enough_if_no_other_begins_with_them():
    for key in ("0123456789", "0123457777"):
        stored(paths.runs() / key)
    assert load_run("0123456").key == find_run("0123456789", NOWHERE).key == "0123456789"
    with pytest.raises(UserError, match="2 run keys begin with 012345: give more of its digits"):
        load_run("012345")
    for none in ("0123458", "01234", "best", "../0123456789"):
        with pytest.raises(UserError, match="No run here has a key that begins with"):
            load_run(none)
    with pytest.raises(UserError, match="model=01234 is no run key, no MLflow run id"):
        find_run("01234", NOWHERE)


def test_a_run_that_came_with_results_is_found_too():
    stored(paths.results("d", "s", "train") / "0123456789")
    assert load_run("012345").folder == paths.results("d", "s", "train") / "0123456789"
    stored(paths.runs() / "0123456789")
    assert load_run("012345").folder == paths.runs() / "0123456789"


def test_a_run_whose_files_changed_is_not_opened():
    stored(paths.runs() / "0123456789")
    card = paths.runs() / "0123456789" / "run.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"files": {"history.json": "ff"}}))
    with pytest.raises(UserError, match=r"Run 0123456789 isn't opened.*history.json"):
        load_run("0123456789")


def study(*runs):
    """Write the results of a study: variant, seed, validation accuracies and protocol of runs."""
    folder = paths.results("d", "s", "train")
    entries = []
    for variant, seed, accuracies, protocol in runs:
        key = f"{variant}{seed}"
        stored(folder / key, accuracies, protocol)
        entries.append({"key": key, "variant": variant, "factors": {"v": variant}, "seed": seed})
    names = {"dataset": "d", "study": "s", "missing": [], "stopping": None}
    write_json(folder / "study.json", names | {"runs": entries})


def test_the_best_run_is_that_of_the_best_variant():
    study(
        ("lucky", 0, (0.1, 0.99), "clean"),
        ("lucky", 1, (0.1, 0.80), "clean"),
        ("good", 0, (0.99, 0.94), "clean"),  # its last epoch counts
        ("good", 1, (0.1, 0.95), "clean"),
    )
    assert best_run("d", "s").key == "good1"


def test_validation_on_test_images_chooses_nothing():
    watched = [("w", 0, (0.9, 0.99), "test_as_validation"), ("x", 0, (0.9, 0.99), "tf55k")]
    study(*watched, ("clean", 0, (0.5, 0.6), "clean"), ("none", 0, None, "train60k"))
    assert best_run("d", "s").key == "clean0"


def test_a_study_without_validation_images_has_no_best_run():
    study(("w", 0, (0.9, 0.99), "tf55k"), ("none", 0, None, "train60k"))
    with pytest.raises(UserError, match="study=s has no validation images of its own"):
        best_run("d", "s")
