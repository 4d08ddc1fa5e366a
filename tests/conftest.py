"""A copy of the project, a home of its own for each test, and a way to start the scripts."""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from omegaconf import DictConfig

from sidebyside.environment import ONEDNN, is_x86
from support.faults import Fault
from support.processes import run, run_here
from support.projects import FOREIGN, SOURCE, copy_project

if TYPE_CHECKING:
    import subprocess

    from sidebyside.storage.evidence import Evidence

Script = Callable[..., "subprocess.CompletedProcess[str]"]

# As the commands do, before a test's module imports TensorFlow.
if is_x86():
    os.environ.setdefault(ONEDNN, "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let simulations be slow too: ``-m "not slow"`` replaces what leaves them out."""
    for item in items:
        if item.get_closest_marker("simulation"):
            item.add_marker(pytest.mark.slow)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    # Files with slow tests first, so that no worker has one alone at the end.
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> Fault:
    """What this test promises."""
    marker = request.node.get_closest_marker("faults")
    assert marker is not None
    return Fault(**marker.kwargs)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FOREIGN:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_works() -> None:
    """Let the processes that tests start be interrupted; a shell's background jobs can't be.

    Nor does what `nohup` starts end with its terminal.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # as nohup has it
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def one_thread() -> None:
    """Fix TensorFlow in this process before a test computes with it in its own manner.

    Only such a test asks for it: it imports TensorFlow, which takes seconds.
    """
    from sidebyside.engine.training import determinism
    from sidebyside.engine.training.numerics import resolve

    determinism.fix(1, resolve("auto"))


@pytest.fixture(scope="session")
def committed_factorial() -> "Evidence":
    """The committed evidence of the factorial on the full MNIST: 16 variants, their first 5 seeds.

    So that seeds which are added to the study change no number that a test expects.
    """
    from sidebyside.storage.evidence_files import read_evidence

    evidence = read_evidence(SOURCE / "reports" / "mnist" / "factorial" / "evidence.npz")
    return replace(evidence, runs=[run for run in evidence.runs if run.seed < 5])


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The data of mnist5k in both data formats, made once for all processes of the tests."""
    from sidebyside import compose
    from sidebyside.data.prepare import prepare

    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    data = shared / "prepared" / "data"
    with FileLock(shared / "prepared.lock"), pytest.MonkeyPatch.context() as patch:
        if not data.is_dir():
            project = copy_project(shared / "preparing")
            for name in FOREIGN:
                patch.delenv(name, raising=False)
            patch.setenv("SIDEBYSIDE_ROOT", str(project))
            patch.setenv("SIDEBYSIDE_HOME", str(project))
            for data_format in ("channels_last", "channels_first"):
                config = compose(f"data_format={data_format}")
                prepare(config.dataset, config.data_format)
            project.rename(data.parent)
    return data


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Path:
    """A copy of the project with mnist5k prepared in both data formats."""
    project = copy_project(tmp_path_factory.mktemp("project"))
    shutil.copytree(prepared, project / "data")
    return project


@pytest.fixture
def home(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home for the run store and the tracking store."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(project))
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's tables without runs, which take seconds to make and none to copy."""
    import mlflow

    path = tmp_path_factory.mktemp("database") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def tracking_home(home: Path, empty_database: Path) -> Path:
    """A home as ``home`` is, with an empty tracking store."""
    shutil.copy(empty_database, home)
    return home


@pytest.fixture
def compose(project: Path, home: Path) -> Iterator[Callable[..., DictConfig]]:
    """A function that composes the config of the command-line arguments it is given."""
    with initialize_config_dir(str(project / "conf"), version_base="1.3"):
        yield lambda *overrides: hydra_compose("config", overrides=list(overrides))


@pytest.fixture
def run_script(project: Path, home: Path, tmp_path: Path) -> Script:
    """A function that runs ``pipelines/<name>.py`` with arguments, from a foreign folder.

    In this process, or ``apart`` in one of its own, where TensorFlow isn't there yet.
    """

    def run_named(
        name: str, *arguments: str, apart: bool = False, **more: str
    ) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, str(project / "pipelines" / f"{name}.py"), *arguments]
        return (run if apart else run_here)(command, project, home, tmp_path, **more)

    return run_named
