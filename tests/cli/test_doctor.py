"""``sidebyside doctor``: what is wrong with a machine or a project, each thing broken for real."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from sidebyside.cli.main import main
from sidebyside.execution.running.launches import Launch, RunShown
from support.processes import run
from support.projects import SOURCE

NUMERIC_CLASS = """
from sidebyside.execution.health.machine import numeric_class
finding = numeric_class()
print(finding.said, finding.mend)
"""


@pytest.fixture
def look(tracking_home, monkeypatch, capsys):
    """A function that looks at everything and returns exit code and findings by check."""

    def look(*options):
        with pytest.raises(SystemExit) as ended:
            main(["doctor", "--json", *options])
        found = json.loads(capsys.readouterr().out)
        return ended.value.code, {own.pop("check"): own for own in found}

    return look


def test_nothing_is_wrong_with_a_project_that_works(look, tracking_home):
    code, found = look()
    assert code == 0
    assert found["tracking store"]["said"] == f"0 runs in {tracking_home / 'mlflow.db'}"
    assert found["run store"]["said"].startswith("0 finished runs")
    assert "keras 3" in found["versions"]["said"]
    assert {own["level"] for own in found.values()} <= {"good", "note"}


@pytest.mark.parametrize(
    ("variable", "value", "check", "said"),
    [
        ("SIDEBYSIDE_MIRROR", "/nowhere", "mirror", "no folder /nowhere"),
        ("SIDEBYSIDE_MIRROR", "http://127.0.0.1:9/x", "mirror", "doesn't answer"),
        ("TF_ENABLE_ONEDNN_OPTS", "0", "oneDNN", "channels_first won't train"),
        ("MLFLOW_TRACKING_URI", "http://127.0.0.1:9", "tracking store", "doesn't answer"),
    ],
)
def test_what_the_environment_breaks_is_told(look, monkeypatch, variable, value, check, said):
    monkeypatch.setenv(variable, value)
    code, found = look()
    assert (code, found[check]["level"]) == (1, "wrong")
    assert said in found[check]["said"]
    assert found[check]["mend"]


def test_another_numeric_class_is_told_with_the_page_that_counts_what_differs(project):
    said = run(
        [sys.executable, "-c", NUMERIC_CLASS], project, project, NPY_DISABLE_CPU_FEATURES="X86_V4"
    ).stdout
    assert said.startswith("avx2, not avx512")
    page = SOURCE / re.search(r"docs/\w+\.md", said)[0]
    assert "images predicted otherwise" in page.read_text()


def test_a_relative_address_of_a_database_is_looked_at(look, tracking_home, monkeypatch):
    monkeypatch.chdir(tracking_home)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    assert look()[1]["tracking store"]["said"] == "0 runs in mlflow.db"


def test_a_damaged_database_is_told_with_what_to_do(look, tracking_home):
    database = tracking_home / "mlflow.db"
    content = bytearray(database.read_bytes())
    content[100:4096] = b"x" * 3996
    database.write_bytes(content)
    code, found = look()
    assert (code, found["tracking store"]["level"]) == (1, "wrong")
    assert "sidebyside sync" in found["tracking store"]["mend"]


def test_a_config_that_cannot_be_composed_is_told(look, project, tmp_path, monkeypatch):
    broken = tmp_path / "broken"
    shutil.copytree(project / "conf", broken / "conf")
    shutil.copy(project / "params.yaml", broken)
    (broken / "conf" / "training" / "default.yaml").write_text("threads: none\n")
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(broken))
    code, found = look()
    assert (code, found["config"]["level"]) == (1, "wrong")


def test_a_repository_without_a_commit_is_told(look, project, tmp_path, monkeypatch):
    shutil.copytree(project / "conf", tmp_path / "new" / "conf")
    shutil.copy(project / "params.yaml", tmp_path / "new")
    for words in (["init", "-q"], ["config", "user.name", "x"], ["config", "user.email", "x@y"]):
        subprocess.run(["git", *words], cwd=tmp_path / "new", check=True)
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(tmp_path / "new"))
    assert "no commit yet" in look()[1]["git"]["said"]


def test_launches_that_were_killed_are_forgotten_by_fix(look):
    launch = Launch("0123", "dataset=mnist5k")
    launch.process = launch.process | {"process.id": "999999999"}
    launch.add({"aa": RunShown("seed=0", 3, 1)})
    assert look()[1]["leftovers"]["level"] == "note"
    assert launch.path.exists()
    found = look("--fix")[1]["leftovers"]
    assert (found["level"], found["fixed"]) == ("good", "forgot 1 launches that were killed")
    assert not launch.path.exists()
