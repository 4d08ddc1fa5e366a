"""A copy of the project, a home of its own for each test, and ways to start the scripts."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from omegaconf import DictConfig

if TYPE_CHECKING:
    from sidebyside.storage.evidence import Evidence

SOURCE = Path(__file__).resolve().parents[1]
PARTS = ("conf", "pipelines", "src", "dvc.yaml", "params.yaml", ".dvcignore", ".gitignore")

# Small enough to train in a second or two, with everything a bigger network has.
TINY = (
    "model.blocks=[{type:conv,filters:4},{type:pool},{type:dropout,rate:0.25},{type:flatten},"
    "{type:dense,units:16}]",
    "training.epochs=1",
)

Script = Callable[..., "subprocess.CompletedProcess[str]"]


# What a developer's shell or MLflow itself (set_tracking_uri) may have left in the environment.
FOREIGN = ("SIDEBYSIDE_MIRROR", "SIDEBYSIDE_RETRAIN", "MLFLOW_TRACKING_URI", "DVC_ROOT")


@dataclass(frozen=True)
class Fault:
    """What the marker ``faults`` of a test promises; docs/faults.md is made of all of them.

    Attributes
    ----------
    fault : str
        What happens.
    lost : str
        What is gone afterwards.
    repeated : str
        What is done twice.
    code : int or str
        With which the command ends; in words where that isn't one number.
    says : str
        Part of what it prints.
    """

    fault: str
    lost: str
    repeated: str
    code: int | str
    says: str


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
    """Let the processes that tests start be interrupted; a shell's background jobs can't be."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Fix TensorFlow in this process before a test computes with it in its own manner."""
    from sidebyside.engine.training import determinism

    determinism.fix(1)


def copy_project(destination: Path) -> Path:
    """Copy what the scripts need to a folder without state."""
    destination.mkdir(parents=True, exist_ok=True)
    ignored = shutil.ignore_patterns("__pycache__")
    for name in PARTS:
        if (SOURCE / name).is_dir():
            shutil.copytree(SOURCE / name, destination / name, ignore=ignored)
        else:
            shutil.copy(SOURCE / name, destination / name)
    return destination


def environment(project: Path, home: Path, **more: str) -> dict[str, str]:
    """Return an environment for the scripts: this interpreter first on the PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    named = {"PATH": path, "SIDEBYSIDE_ROOT": str(project), "SIDEBYSIDE_HOME": str(home)}
    own = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return own | named | more


def run(
    command: Sequence[str], project: Path, home: Path, cwd: Path | None = None, **more: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, at ``home`` if nowhere else."""
    return subprocess.run(
        command,
        env=environment(project, home, **more),
        cwd=cwd or home,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def start(
    command: Sequence[str],
    project: Path,
    home: Path,
    cwd: Path | None = None,
    **streams: int,
) -> "subprocess.Popen[str]":
    """Start a command in a session of its own and go on; its streams are pipes."""
    return subprocess.Popen(
        command,
        env=environment(project, home),
        cwd=cwd or home,
        text=True,
        start_new_session=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams,
    )


def read_until(stream: IO[str], words: str) -> str:
    """Return what comes from a process up to the line with these words."""
    said = ""
    while words not in said:
        line = stream.readline()
        assert line, said
        said += line
    return said


@pytest.fixture(scope="session")
def committed_factorial() -> "Evidence":
    """The committed evidence of the factorial on the full MNIST: 16 variants, 5 seeds."""
    from sidebyside.storage.evidence import read_evidence

    return read_evidence(SOURCE / "reports" / "mnist" / "factorial" / "evidence.npz")


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with mnist5k prepared in both data formats."""
    project = copy_project(tmp_path_factory.mktemp("project"))
    home = tmp_path_factory.mktemp("home")
    for script in (
        ["download.py"],
        ["preprocess.py"],
        ["preprocess.py", "data_format=channels_first"],
    ):
        subprocess.run(
            [sys.executable, str(project / "pipelines" / script[0]), *script[1:]],
            env=environment(project, home),
            check=True,
        )
    return project


@pytest.fixture
def home(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home for the run store and the tracking store."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(project))
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(home))
    return home


@pytest.fixture
def compose(project: Path, home: Path) -> Iterator[Callable[..., DictConfig]]:
    """A function that composes the config of the command-line arguments it is given."""
    with initialize_config_dir(str(project / "conf"), version_base="1.3"):
        yield lambda *overrides: hydra_compose("config", overrides=list(overrides))


@pytest.fixture
def run_script(project: Path, home: Path, tmp_path: Path) -> Script:
    """A function that runs ``pipelines/<name>.py`` with arguments, from a foreign folder."""

    def run_named(name: str, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, str(project / "pipelines" / f"{name}.py"), *arguments]
        return run(command, project, home, tmp_path, **more)

    return run_named
