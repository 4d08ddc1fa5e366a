"""Committed evidence: a report without runs, a study finished in pieces, one with runs missing."""

import csv
import json
import re
import shlex
import shutil
import signal
import sys

import pytest

from support.processes import start
from support.projects import TINY, copy_project
from support.sweeps import wait_until

pytestmark = pytest.mark.slow

STUDY = (
    "study=factorial",
    "model.kernel_size=3",
    "model.dropout=true",
    "optimizer=adam",
)


class Workspace:
    """A copy of the project that is its own home."""

    def __init__(self, root):
        self.root = root
        self.report = root / "reports" / "mnist5k" / "factorial"

    def start(self, script, *arguments):
        command = [sys.executable, str(self.root / "pipelines" / f"{script}.py"), *arguments]
        return start(command, self.root, self.root)

    def run(self, script, *arguments, code=0):
        process = self.start(script, *arguments)
        output, errors = process.communicate(timeout=300)
        assert process.returncode == code, errors
        return output + errors

    def train(self, *arguments):
        return self.run("train", "-m", *TINY, *STUDY, *arguments)

    def compare(self, *arguments, code=0):
        return self.run("compare", "study=factorial", *arguments, code=code)

    def keys(self):
        return {path.parent.name for path in (self.root / "runs").glob("*/run.json")}

    def errors(self):
        """The test errors of each variant, by seed."""
        by_variant = {}
        with (self.report / "runs.csv").open(newline="") as file:
            for run in sorted(csv.DictReader(file), key=lambda run: int(run["seed"])):
                by_variant.setdefault(run["variant"], []).append(float(run["test_error"]))
        return by_variant

    def comparison(self):
        return json.loads((self.report / "comparison.json").read_text())


def content(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture(scope="module")
def workspace(project, tmp_path_factory):
    """A workspace in which a study was run without DVC and compared."""
    root = copy_project(tmp_path_factory.mktemp("workspace"))
    shutil.copytree(project / "data", root / "data")
    workspace = Workspace(root)
    workspace.train("seed=0")
    workspace.compare()
    return workspace


def test_a_study_without_dvc_can_be_compared(workspace):
    comparison = workspace.comparison()
    assert comparison["n_runs"] == 2
    assert [variant["n"] for variant in comparison["variants"]] == [1, 1]


def test_the_command_of_a_report_makes_it_again(workspace):
    text = (workspace.report / "comparison.md").read_text()
    (command,) = re.findall(r"^python pipelines/train.py .*$", text, flags=re.M)
    arguments = shlex.split(command)[2:]
    for word in ("study=factorial", "model.kernel_size=3", "training.epochs=1", "training.seeds=1"):
        assert word in arguments
    before = workspace.keys()
    workspace.run("train", *arguments)
    assert workspace.keys() == before
    settings = workspace.comparison()["settings"]
    assert (settings["model"], settings["epochs"]) == ("conv_pair", "1")
    assert settings["blocks"].startswith("conv 4 valid relu, pool 2, dropout 0.25, flatten")


def test_another_study_of_the_same_name_replaces_no_report(workspace):
    before = content(workspace.report)
    workspace.train("seed=0", "training.epochs=2")
    said = workspace.compare(code=2)
    assert "is the report of another study of this name (epochs 1 there, 2 now)" in said
    assert content(workspace.report) == before
    workspace.train("seed=0")  # what the other tests find


def test_the_report_is_rebuilt_from_committed_evidence_alone(workspace, tmp_path):
    clone = Workspace(copy_project(tmp_path / "clone"))
    shutil.copytree(workspace.report, clone.report)
    before = content(clone.report)
    (tmp_path / "outside").mkdir()
    for path in clone.report.rglob("*"):
        # How long it took isn't evidence, but the page shows it.
        if path.is_file() and path.name not in ("evidence.npz", "costs.json"):
            path.unlink()
            if path.parent == clone.report:  # what is written isn't written through a link
                path.symlink_to(tmp_path / "outside" / path.name)
    shutil.rmtree(clone.report / "pictures")
    (clone.report / "pictures").symlink_to(tmp_path / "outside")
    clone.compare()
    assert not (clone.root / "data").exists()
    assert content(clone.report) == before
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_study_is_finished_in_pieces(project, workspace, tmp_path):
    later = Workspace(copy_project(tmp_path / "later"))
    shutil.copytree(project / "data", later.root / "data")
    shutil.copytree(workspace.report, later.report)
    said = later.train("seed=0,1", "training.complete_evidence=true")
    assert "2 of 4 runs are in the committed evidence" in said
    assert len(later.keys()) == 2
    assert not later.keys() & workspace.keys()
    later.compare()
    assert [variant["n"] for variant in later.comparison()["variants"]] == [2, 2]
    # Of the first piece no probabilities are there, so what was together stays so: one seed.
    assert len(later.comparison()["ensemble"]["variants"]) == 2
    for variant in later.comparison()["ensemble"]["variants"]:
        alone = later.errors()[variant["variant"]][0]
        assert (variant["n"], variant["mean_of_members"]) == (1, pytest.approx(alone))
    before = content(later.report)
    shutil.rmtree(later.root / "results")
    later.compare()
    assert content(later.report) == before
    # Another recipe isn't in the evidence, whatever its variant is called.
    later.train("seed=0", "training.complete_evidence=true", "training.batch_size=64")
    assert len(later.keys()) == 4


def test_missing_runs_are_named_or_marked(project, tmp_path):
    workspace = Workspace(copy_project(tmp_path / "partial"))
    shutil.copytree(project / "data", workspace.root / "data")
    endless = ("data_format=channels_last", "seed=0", "training.epochs=1000000,1")
    command = ("train", "-m", *TINY, *STUDY, *endless, "hydra.launcher.workers=2")
    with workspace.start(*command) as process:
        finished = workspace.root / "runs" / ".launches"
        wait_until(lambda: any(finished.glob("*/*")), process=process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    said = workspace.compare(code=2)
    assert "1 of 2 runs are missing" in said
    assert "epochs=1000000,seed=0" in said
    assert "Traceback" not in said
    workspace.compare("allow_partial=true")
    (missing,) = workspace.comparison()["missing"]
    assert missing.endswith("epochs=1000000,seed=0")
    assert "**Not finished: 1 run is missing**" in (workspace.report / "comparison.md").read_text()
