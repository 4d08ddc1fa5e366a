"""A user's mistake: one sentence, exit code 2, before anything is trained."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # each starts commands

MISTAKES = {
    "unknown dataset": (["dataset=mnsit"], ["dataset=mnsit", "did you mean mnist"]),
    "unknown model": (["model=conv_par"], ["model=conv_par", "did you mean conv_pair"]),
    "unknown optimizer": (["-m", "optimizer=adm,sgd"], ["optimizer=adm", "did you mean adam"]),
    "unknown study": (["-m", "study=factorail"], ["study=factorail", "did you mean factorial"]),
    "no epochs": (["training.epochs=0"], ["training.epochs=0", "greater than or equal to 1"]),
    "no epochs in a sweep": (["-m", "training.epochs=1,0"], ["training.epochs=0"]),
    "wrong type": (["training.epochs=many"], ['training.epochs="many"', "integer"]),
    "dropout as a rate": (["model.dropout=1.5"], ["model.dropout=1.5", "boolean"]),
    "negative seed": (["seed=-1"], ["seed=-1", "greater than or equal to 0"]),
    "batch too large": (["training.batch_size=9999"], ["batch_size=9999", "at most 3334"]),
    "kernel too large": (["model.kernel_size=29"], ["conv_1 (29x29)", "(28, 28, 1)"]),
    "pool too large": (
        ["model=mlp", "model.dropout=null", "model.blocks=[{type:pool,size:29},{type:flatten}]"],
        ["pool_1 (29x29)", "(28, 28, 1)"],
    ),
    "no workers": (["-m", "hydra.launcher.workers=0", "seed=0,1"], ["hydra.launcher.workers=0"]),
    "the same run twice": (["-m", "seed=0,0"], ["Two runs of this sweep are the same", "seed=0"]),
    "a schedule that isn't there": (["schedule=cosin"], ["schedule=cosin", "cosine"]),
    "a setting that no study has": (
        ["-m", "study=factorial", "study.marginn=2"],
        ["study.marginn is unknown", "margin"],
    ),
    "a setting that the study's file doesn't name": (
        ["-m", "study=factorial", "study.other_scores=true"],
        ["factorial.yaml doesn't name study.other_scores", "++study.other_scores=true"],
    ),
    "early stopping without validation": (
        ["training.patience=2", "protocol=train60k"],
        ["training.patience=2", "protocol=clean"],
    ),
    "one dataset in two forms": (
        ["-m", "dataset.normalisation=scale,standardise"],
        ["normalisation=scale and with standardise"],
    ),
    "a model of one's own that isn't there": (
        ["-m", "model=mlp", "~model.blocks", "~model.dropout", "+model._target_=nosuch.net"],
        ["there is no nosuch.net"],
    ),
    "a swept study": (["-m", "study=factorial,factorial"], ["study=", "can't be swept"]),
    "a dataset swept in a study": (
        ["-m", "study=factorial", "dataset=mnist5k,mnist"],
        ["dataset can't be swept in a study"],
    ),
    "no server": (
        ["tracking.uri=http://someone:secret@127.0.0.1:9"],
        ["http://someone:***@127.0.0.1:9", "can't be reached"],
    ),
    "no server for a sweep": (
        ["-m", "seed=0,1", "tracking.uri=http://127.0.0.1:9"],
        ["http://127.0.0.1:9", "can't be reached"],
    ),
    "no database": (
        ["tracking.uri=sqlite:////proc/nowhere.db"],
        ["sqlite:////proc/nowhere.db", "can't be reached or used"],
    ),
    "an initializer Keras doesn't know": (
        ["model.kernel_initializer=nosuch"],
        ["Keras refuses model=conv_pair", "nosuch"],
    ),
    "an optimizer's unknown option": (
        ["-m", "seed=0,1", "+optimizer.nosuch=3"],
        ["Keras refuses", "optimizer=adam", "nosuch"],
    ),
}


@pytest.mark.parametrize(("arguments", "expected"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_before_work_starts(run_script, home, arguments, expected):
    done = run_script("train", *arguments)
    assert done.returncode == 2, done.stderr
    for words in expected:
        assert words in done.stderr
    # At most what was asked for and what it would take stand before the sentence.
    *before, said = done.stderr.strip().splitlines()
    assert said.startswith("error: ")
    assert len([line for line in before if not line.endswith("planned")]) <= 2
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr
    assert not trained(home)


@pytest.mark.parametrize("arguments", [[], ["-m"]])
def test_channels_first_is_refused_where_it_cannot_be_trained(run_script, home, arguments):
    without = {"TF_ENABLE_ONEDNN_OPTS": "0"}
    done = run_script("train", *arguments, "data_format=channels_first", apart=True, **without)
    assert done.returncode == 2
    assert "data_format=channels_first can't be trained" in done.stderr
    assert "Traceback" not in done.stderr
    assert not trained(home)


def test_an_unknown_key_is_left_to_hydra(run_script):
    done = run_script("train", "model.nosuch=1")
    assert done.returncode == 1
    assert "Key 'nosuch' is not in struct" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_home_that_cannot_be_made_is_named(run_script):
    done = run_script("train", SIDEBYSIDE_HOME="/proc/nowhere")
    assert done.returncode == 2
    assert "Can't write to the run store /proc/nowhere/runs" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_report_of_a_study_that_never_ran_is_refused(run_script):
    done = run_script("compare", "study=published_clean")
    assert done.returncode == 2
    assert "holds no results of study=published_clean" in done.stderr


def test_a_report_of_no_study_is_refused(run_script):
    done = run_script("compare")
    assert done.returncode == 2
    assert "No study is selected" in done.stderr


def trained(home: Path) -> list[str]:
    """Return the keys in the run store."""
    return [path.name for path in (home / "runs").glob("[0-9a-f]*")]
