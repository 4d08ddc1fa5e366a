"""Projects of one's own: laid down, added to, and what the library is to them."""

import shutil
import sys

import hydra
import pytest

from sidebyside import compose
from sidebyside.cli.main import main
from sidebyside.config.compose import compose_grid
from sidebyside.errors import UserError
from support.processes import run_here
from support.projects import FOREIGN, in_place

OURS = ("SIDEBYSIDE_ROOT", "SIDEBYSIDE_HOME")


@pytest.fixture(scope="module")
def laid(tmp_path_factory):
    """A project as ``sidebyside init`` makes it."""
    folder = tmp_path_factory.mktemp("own")
    (folder / ".gitignore").write_text("mine\n")
    with pytest.MonkeyPatch.context() as patch:
        for name in (*FOREIGN, *OURS):
            patch.setenv(name, "")  # so that what the command sets is undone as well
            patch.delenv(name)
        patch.chdir(folder)
        main(["init"])
    return folder


@pytest.fixture
def own(laid, monkeypatch):
    """It, as the project that this process works for."""
    monkeypatch.chdir(laid)
    with in_place(laid, laid):
        yield laid


def refused(capsys, *arguments):
    """Return what a command says that ends with a sentence."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("error: ")
    assert "\n" not in said
    return said


def test_a_project_holds_its_own_files_only(laid):
    files = {path.relative_to(laid).as_posix() for path in laid.rglob("*") if path.is_file()}
    own = {name for name in files if name.partition("/")[0] not in (".git", ".dvc")}
    scripts = {
        f"pipelines/{name}.py"
        for name in ("download", "preprocess", "train", "evaluate", "compare")
    }
    configs = {"conf/model/my_net.yaml", "conf/study/first.yaml", "dvc.yaml", "params.yaml"}
    assert own == {"my_net.py", "requirements.txt", ".gitignore", ".dvcignore", *scripts, *configs}
    assert (laid / ".git").is_dir()
    assert (laid / ".dvc" / "config").is_file()
    ignored = (laid / ".gitignore").read_text().splitlines()
    assert ignored[0] == "mine"  # what was there stays
    assert {"/samples.png", "/dvc_plots/", "/reports/index.html"} <= set(ignored)


def test_nothing_is_overwritten(own, tmp_path, capsys):
    before = {path: path.read_bytes() for path in own.rglob("*") if path.is_file()}
    assert f"{own / 'dvc.yaml'} is there already" in refused(capsys, "init", str(own))
    assert {path: path.read_bytes() for path in before} == before
    (tmp_path / "params.yaml").write_text("mine: 1\n")
    assert "nothing is overwritten" in refused(capsys, "init", str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


@pytest.mark.slow
def test_what_git_refuses_can_be_asked_for_again(tmp_path, monkeypatch, capsys):
    git = tmp_path / "bin" / "git"
    git.parent.mkdir()
    git.write_text("#!/bin/sh\necho 'fatal: no space' >&2\nexit 128\n")
    git.chmod(0o755)
    own = tmp_path / "own"
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(git.parent))
        assert "git init -q` failed in" in refused(capsys, "init", str(own))
    main(["init", str(own)])
    assert (own / "dvc.yaml").is_file()
    assert (own / ".dvc" / "config").is_file()


def test_what_is_added_works_as_it_is(own, capsys):
    for what in ("model", "dataset", "study"):
        main(["add", what, f"new_{what}"])
        assert f"conf/{what}/new_{what}.yaml" in capsys.readouterr().out
        assert "is there already" in refused(capsys, "add", what, f"new_{what}")
    config = compose("model=new_model", "dataset=new_dataset", "model.filters=4")
    assert config.model.target == "new_model.build"
    assert config.dataset.shape == (8, 8, 1)
    grid = compose_grid(["study=new_study"])
    assert {str(levels["model"]) for _, levels in grid} == {"my_net", "new_model", "conv_pair"}
    assert "- new_model.py" in (own / "dvc.yaml").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["model", "numpy"], "numpy is the name of a module that is installed"),
        (["model", "my-net"], "can't be the name of a model's file"),
        (["dataset", "mnist"], "dataset=mnist is one of the library's"),
        (["study", "1e3"], "study 1e3 won't do"),
        (["dataset", "../out"], "dataset ../out won't do"),
    ],
)
def test_a_name_that_wont_do_is_refused(own, capsys, arguments, words):
    assert words in refused(capsys, "add", *arguments)


def test_a_file_of_ones_own_goes_before_the_librarys(own):
    assert compose().optimizer["learning_rate"] == 0.001
    path = own / "conf" / "optimizer" / "adam.yaml"
    path.parent.mkdir()
    path.write_text("name: adam\n_target_: keras.optimizers.Adam\nlearning_rate: 0.5\n")
    try:
        assert compose().optimizer["learning_rate"] == 0.5
        assert compose("optimizer=sgd").optimizer["name"] == "sgd"
    finally:
        shutil.rmtree(path.parent)
    with pytest.raises(UserError, match=r"did you mean my_net\?"):
        compose("model=my_nett")


def test_a_shell_completes_the_librarys_choices_too(own, monkeypatch, capsys):
    for name, value in (("COMP_WORDS", "sidebyside plan study=f"), ("COMP_CWORD", "2")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("_SIDEBYSIDE_COMPLETE", "zsh_complete")
    with pytest.raises(SystemExit):
        main([])
    said = capsys.readouterr().out.splitlines()
    assert {"study=factorial", "study=first"} <= set(said)


def test_other_apps_of_hydra_find_no_configs_of_the_library(own, tmp_path):
    (tmp_path / "config.yaml").write_text("a: 1\n")
    with hydra.initialize_config_dir(str(tmp_path), version_base="1.3"):
        # No choice of a file, as there is no such group.
        assert hydra.compose("config", ["+model=mlp"]) == {"a": 1, "model": "mlp"}


@pytest.mark.slow
def test_its_network_is_trained_and_compared(own, prepared):
    shutil.copytree(prepared, own / "data")
    for name, *arguments in (
        ("train", "-m", "study=first", "model=my_net", "training.epochs=1"),
        ("compare", "study=first"),
    ):
        script = [sys.executable, f"pipelines/{name}.py", *arguments]
        done = run_here(script, own, own, own)
        assert done.returncode == 0, done.stderr
    assert "1 variants, 2 runs" in done.stdout
    assert (own / "reports" / "mnist5k" / "first" / "report.html").is_file()
