"""A user's mistake: one sentence, exit code 2, before anything is trained."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.processes import run_here

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
    "a misspelled setting that a study's file needn't name": (
        ["-m", "study=published", "+study.expected_equals=2"],
        ["study.expected_equals is unknown", "did you mean study.expected_equal?"],
    ),
    "a study by another name than its file's": (
        ["-m", "study=factorial", "study.name=mine"],
        ["study.name=mine won't do", "mine.yaml", "study=mine"],
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
    "a misspelled group": (["optimzer=adam"], ["optimzer is unknown: did you mean optimizer?"]),
    "a misspelled key": (
        ["optimizer.learing_rate=1"],
        ["optimizer.learing_rate is unknown", "did you mean optimizer.learning_rate?"],
    ),
    "a misspelled key that is swept": (
        ["-m", "optimizer.learing_rate=1,2"],
        ["did you mean optimizer.learning_rate?"],
    ),
    "a misspelled key that is added": (
        ["++training.epoch=3"],
        ["training.epoch is unknown: did you mean training.epochs?"],
    ),
    "a key without its node": (["epochs=5"], ["did you mean training.epochs?"]),
    "a misspelled setting of the launcher": (
        ["-m", "hydra.launcher.wokers=2", "seed=0,1"],
        ["did you mean hydra.launcher.workers?"],
    ),
    "a launcher that isn't there": (
        ["-m", "hydra/launcher=rya", "seed=0,1"],
        ["hydra/launcher=rya is unknown", "did you mean ray"],
    ),
    "a key that is deleted and isn't there": (["~training.epochz"], ["mean training.epochs?"]),
    "something that isn't supported": (
        ["training.loss=mse"],
        ["training.loss isn't a setting of this version: networks are trained on categorical"],
    ),
    "images mixed": (["training.mixup=0.2"], ["training.mixup isn't a setting", "labels stay as"]),
    "an average of weights, of Keras": (
        ["optimizer.use_ema=true"],
        ["optimizer.use_ema isn't a setting of this version: training.ema=0.99"],
    ),
    "a layer that changes labels": (
        ["-m", "seed=0,1", "augmentation.layers=[{_target_:keras.layers.MixUp}]"],
        ["augmentation=none: keras.layers.MixUp changes labels with the images"],
    ),
    "an optimizer's value that Keras reads in training": (
        ["+optimizer.weight_decay=much"],
        ["Keras can't train with optimizer=adam", "Cast string to float"],
    ),
    "a key that is like no other": (
        ["model.nosuch=1"],
        ["model.nosuch isn't a setting of this version: model=conv_pair has blocks, dropout"],
    ),
    "an argument that an optimizer's file doesn't name": (
        ["optimizer.weight_decay=0.1"],
        ["optimizer=adam names no weight_decay: +optimizer.weight_decay=..."],
    ),
    "a setting that a dataset's file doesn't name": (
        ["dataset.test_fraction=0.3"],
        ["isn't named in the file of dataset=mnist5k: write +dataset.test_fraction=..."],
    ),
    "several values without -m": (
        ["seed=0,1"],
        ["seed=0,1 is several values: add -m", "train.py -m seed=0,1"],
    ),
    "a study without -m": (
        ["study=factorial"],
        ["without -m one run is trained: python pipelines/train.py -m study=factorial"],
    ),
    "a study's setting without a study": (["-m", "seed=0,1", "study.margin=2"], ["none is chosen"]),
    "-m between overrides": (
        ["seed=0", "-m", "optimizer=adam,sgd"],
        ["stands between seed=0 and optimizer=adam,sgd", "-m seed=0 optimizer=adam,sgd"],
    ),
    "the config of many runs": (["-m", "seed=0,1", "--cfg", "job"], ["shows the config of one"]),
    "a misspelled option": (["--mutlirun", "seed=0,1"], ["did you mean --multirun?"]),
    "an option's value": (["--cfg", "jb"], ["invalid choice: 'jb'"]),
    "a schedule of none": (["schedule=null"], ["schedule=null", "choose schedule=constant"]),
    "a study of none": (["-m", "study=null", "seed=0,1"], ["study=null", "leave it out"]),
    "a group's list": (["dataset=[1]"], ["dataset=[1] won't do", "mnist5k"]),
    "a value alone": (["=3"], ["=3 names no setting: write KEY=VALUE"]),
    "seeds without a study": (
        ["-m", "training.seeds=5", "optimizer=adam,sgd"],
        ["training.seeds=5 is of a study", "seed='range(0,5)'"],
    ),
    "a study without seeds": (["-m", "study=factorial", "training.seeds=0"], ["has no runs"]),
    "a user without a password": (
        ["tracking.uri=http://pl4nted@127.0.0.1:9"],
        ["http://***@127.0.0.1:9", "can't be reached"],
    ),
    "a port that is none": (
        ["tracking.uri=postgresql://a:b@127.0.0.1:54x/c"],
        ["postgresql://a:***@127.0.0.1:54x/c can't be reached or used"],
    ),
    "no value": (["optimizer"], ["optimizer sets nothing"]),
    "what compare reads": (["allow_partial=true"], ["train.py doesn't read allow_partial"]),
    "what dvc.yaml reads": (["select.dataset=mnist"], ["as dvc.yaml reads it from params.yaml"]),
    "a launcher for one run": (["hydra.launcher.workers=2"], ["is for many runs"]),
    "a launcher's setting that is swept": (
        ["-m", "hydra.launcher.workers=1,2"],
        ["hydra.launcher.workers=1,2 can't be swept"],
    ),
}
OF_OTHERS = {
    "what training decided": (
        ["compare", "training.epochs=7", "study=factorial"],
        ["compare.py doesn't read training.epochs", "It reads allow_partial, dataset, study"],
    ),
    "an optimizer, for evaluate": (["evaluate", "optimizer=sgd"], ["doesn't read optimizer"]),
    "a study, for download": (["download", "study=factorial"], ["doesn't read study"]),
    "a launcher, for preprocess": (["preprocess", "hydra/launcher=ray"], ["doesn't read hydra."]),
    "a sweep": (["compare", "-m", "study=factorial"], ["compare.py isn't swept: leave out -m"]),
    "two studies": (["compare", "study=factorial,published"], ["compare.py takes one of a key"]),
}
_MINE = "# @package _global_\nstudy:\n  name: mine\n"
_SWEPT = (
    "hydra:\n  sweeper:\n    params:\n      model: mlp,conv_pair\n"
    "      seed: range(0,${training.seeds})\n"
)
OF_STUDIES = {
    "a word": ("study: mine\n", ["mine.yaml has study: mine, which has to be a mapping"]),
    "a list": ("- study\n", ["mine.yaml holds a list, and has to be a mapping"]),
    "what isn't UTF-8": (
        b"study:\n  name: mine # \xe9\n",
        ["mine.yaml isn't UTF-8", "save it as that"],
    ),
    "a sweep of nothing": (
        "# @package _global_\nstudy:\n  name: mine\nhydra:\n  sweeper:\n    params: foo\n",
        ["hydra.sweeper.params"],
    ),
    "no seeds": (
        f"{_MINE}hydra:\n  sweeper:\n    params:\n      model: mlp,conv_pair\n",
        ["training.seeds=2 would change nothing", "add seed: range(0,${training.seeds}) to"],
    ),
    "a factor that it hasn't got": (
        f"{_MINE}  expected_equal: [modle]\n{_SWEPT}",
        ["study.expected_equal names modle", "its factors are model"],
    ),
    "a baseline of another factor": (
        f"{_MINE}  baseline: modle=mlp\n{_SWEPT}",
        ["study.baseline names modle=mlp", "they are called like model=mlp"],
    ),
    "a pair of other factors": (
        f"{_MINE}  pairs: [[model=mlp, 'model=mlp,seed=1']]\n{_SWEPT}",
        ["study.pairs names model=mlp,seed=1"],
    ),
}
BROKEN = {
    "an open bracket": ("name: broken\nblocks: [1,\n", ["line 3, isn't YAML"]),
    "a tab": ("name: broken\n\tblocks: []\n", ["line 2, isn't YAML"]),
    "a key twice": ("name: broken\nname: again\n", ["line 2, isn't YAML", "duplicate key name"]),
}


@pytest.mark.parametrize(("arguments", "expected"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_before_work_starts(run_script, home, arguments, expected):
    refused(run_script("train", *arguments), expected)
    assert not trained(home)


@pytest.mark.parametrize(("arguments", "expected"), OF_OTHERS.values(), ids=OF_OTHERS)
def test_what_a_command_would_ignore_is_refused(run_script, home, arguments, expected):
    refused(run_script(*arguments), expected)
    assert not trained(home)


@pytest.mark.parametrize(("content", "expected"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_named_with_its_line(run_script, project, home, content, expected):
    path = project / "conf" / "model" / "broken.yaml"
    path.write_text(content)
    summary = [sys.executable, "-m", "sidebyside.cli.main", "summary", "model=broken"]
    try:
        for done in (run_script("train", "model=broken"), run_here(summary, project, home)):
            refused(done, [str(path), *expected])
    finally:
        path.unlink()


@pytest.mark.parametrize(("content", "expected"), OF_STUDIES.values(), ids=OF_STUDIES)
def test_a_study_that_is_none_is_named(project, home, content, expected):
    path = project / "conf" / "study" / "mine.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    plan = [sys.executable, "-m", "sidebyside.cli.main", "plan"]
    plan += ["study=mine", "training.seeds=2"]
    try:
        refused(run_here(plan, project, home), expected)
    finally:
        path.unlink()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plan", "=3"], "=3 names no setting"),
        (["report", "study="], "study= names none"),
        (["report", "study=factorial", "training.epochs=5"], "doesn't read training.epochs"),
        (["samples", "--output", "."], "is a directory"),
        (["samples", "--output", "/dev/null/x.png"], "/dev/null won't do"),
        (["samples", "--output", f"{'x' * 300}.png"], ".png won't do (File name too long)"),
        (["report", "study=factorial", "allow_partial=maybe"], "allow_partial=maybe won't do"),
        (["plan", "select.study=published"], "doesn't read select.study"),
        (["why", "select.study=published"], "doesn't read select.study"),
        (["submit", "select.study=published"], "doesn't read select.study"),
        (["sync", "--to", ""], "--to is empty"),
        (["predict", "--model", "own.keras", "--test-index", "0"], "add --trust if you trust"),
    ],
)
def test_what_commands_cannot_take_is_told(project, home, arguments, words):
    command = [sys.executable, "-m", "sidebyside.cli.main", *arguments]
    refused(run_here(command, project, home), [words])


def test_a_grid_of_names_is_planned_as_it_is_trained(project, home):
    plan = [sys.executable, "-m", "sidebyside.cli.main", "plan", "model=glob(conv_p*)"]
    done = run_here(plan, project, home)
    assert done.returncode == 0, done.stderr
    assert "conv_pool_pair" in done.stdout


def test_a_project_that_selects_nothing_is_told(project, home):
    path = project / "params.yaml"
    kept = path.read_text()
    path.write_text(kept[kept.index("training:") :].partition("select:")[0])
    try:
        sync = [sys.executable, "-m", "sidebyside.cli.main", "sync"]
        refused(run_here(sync, project, home), ["No study is named, and params.yaml selects none"])
    finally:
        path.write_text(kept)


def test_a_project_that_lost_its_parameters_is_told(run_script, project, home):
    path = project / "params.yaml"
    kept = path.rename(project / "params.kept")
    summary = [sys.executable, "-m", "sidebyside.cli.main", "summary"]
    try:
        for done in (run_script("train"), run_here(summary, project, home)):
            refused(done, [f"There is no {path}", "git checkout params.yaml"])
    finally:
        kept.rename(path)


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("optimzer=adam", "did you mean optimizer?"),
        ("model", "model sets nothing"),
        ("seed=0,1", "seed=0,1 is several values, and one is wanted here"),
    ],
)
def test_other_commands_say_the_same(project, home, argument, words):
    summary = [sys.executable, "-m", "sidebyside.cli.main", "summary", argument]
    refused(run_here(summary, project, home), [words])


def test_m_may_stand_behind_everything(run_script):
    done = run_script("train", "seed=0,1", "training.batch_size=9999", "-m")
    refused(done, ["batch_size=9999", "at most 3334"])


@pytest.mark.parametrize("arguments", [[], ["-m"]])
def test_channels_first_is_refused_where_it_cannot_be_trained(run_script, home, arguments):
    without = {"TF_ENABLE_ONEDNN_OPTS": "0"}
    done = run_script("train", *arguments, "data_format=channels_first", apart=True, **without)
    assert done.returncode == 2
    assert "data_format=channels_first can't be trained" in done.stderr
    assert "Traceback" not in done.stderr
    assert not trained(home)


def test_a_home_that_cannot_be_made_is_named(run_script):
    done = run_script("train", SIDEBYSIDE_HOME="/proc/nowhere")
    assert done.returncode == 2
    assert "Can't write to the run store /proc/nowhere/runs" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["what?", "100%41"])
def test_a_home_that_no_database_can_be_in_is_named(run_script, tmp_path, name):
    done = run_script("train", SIDEBYSIDE_HOME=str(tmp_path / name))
    refused(done, [f"{tmp_path / name}/mlflow.db can't be the address", "set SIDEBYSIDE_HOME"])


def test_a_report_of_a_study_that_never_ran_is_refused(run_script):
    done = run_script("compare", "study=published_clean")
    assert done.returncode == 2
    assert "holds no results of study=published_clean" in done.stderr


def test_a_report_of_no_study_is_refused(run_script):
    done = run_script("compare")
    assert done.returncode == 2
    assert "No study is selected" in done.stderr


def refused(done: "subprocess.CompletedProcess[str]", expected: list[str]) -> None:
    """Hold what a command said against what a mistake is answered with."""
    assert done.returncode == 2, done.stderr
    for words in expected:
        assert words in done.stderr
    # At most what was asked for and what it would take stand before the sentence, and that this
    # machine's bits are others.
    *before, said = done.stderr.strip().splitlines()
    assert said.startswith("error: ")
    before = [line for line in before if not line.startswith("Numeric class avx2, not")]
    assert len([line for line in before if not line.endswith("planned")]) <= 2
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr


def trained(home: Path) -> list[str]:
    """Return the keys in the run store."""
    return [path.name for path in (home / "runs").glob("[0-9a-f]*")]
