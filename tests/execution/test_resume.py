"""A run that was killed goes on where it was, to the same bits."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

import mlflow
import pytest

from sidebyside.files import read_json
from support.processes import read_until, run, run_here, start
from support.projects import TINY
from support.sweeps import has_checkpoint

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

# Long enough to be killed in the middle.
LONG = (*TINY, "training.epochs=12", "evaluate=false")


NOTHING = "nothing finished"
SOME_EPOCHS = "epochs after the last checkpoint"
GOES_ON = "going on after epoch"
YEAR = 365 * 24 * 60 * 60  # seconds


def command(project, *arguments):
    return [sys.executable, str(project / "pipelines" / "train.py"), *LONG, *arguments]


def finished(home):
    """Return the card and the digest after each epoch of the only run at ``home``."""
    (card,) = (home / "runs").glob("*/run.json")
    return read_json(card)["weights_digest"], read_json(card.with_name("digests.json"))


def train(project, home, *arguments, before=()):
    """Train to the end, in this process or by way of a command ``before``; return what it says."""
    if before:
        done = run([*before, *command(project, *arguments)], project, home, project)
    else:
        done = run_here(command(project, *arguments), project, home, project)
    assert done.returncode == 0, done.stderr
    return done.stderr


def started(project, home, *arguments, before=()):
    """Start a training; what it prints on stdout is of no interest."""
    full = [*before, *command(project, *arguments)]
    return start(full, project, home, project, stdout=subprocess.DEVNULL)


def wait_for_epoch(process, unfinished, epoch):
    """Wait until a run in the folder ``unfinished`` has a checkpoint of ``epoch``."""
    deadline = time.monotonic() + 120
    while not has_checkpoint(unfinished, epoch):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def kill_after(project, home, epochs, number=signal.SIGKILL, before=()):
    """Start a run and kill it once it has ``epochs`` epochs; return its checkpoints, old to new."""
    home.mkdir(exist_ok=True)
    unfinished = home / "runs" / ".unfinished"
    with started(project, home, before=before) as process:
        wait_for_epoch(process, unfinished, epochs)
        os.killpg(process.pid, number)
        _, errors = process.communicate(timeout=60)
    return sorted(unfinished.glob("*/checkpoints/epoch-*.npz")), process.returncode, errors


def fault_of(number, code, says, **words):
    promise = {"lost": NOTHING, "repeated": SOME_EPOCHS, "code": code, "says": says} | words
    more = [pytest.mark.release] if number == signal.SIGTERM else []
    return pytest.param(number, marks=[pytest.mark.faults(**promise), *more], id=number.name)


@pytest.fixture(scope="module")
def undisturbed(project, tmp_path_factory):
    """What a run that nothing happened to has left."""
    home = tmp_path_factory.mktemp("undisturbed")
    train(project, home)
    return finished(home)


@pytest.mark.parametrize(
    "number",
    [
        fault_of(signal.SIGKILL, -9, "", fault="SIGKILL of a run in the middle of an epoch"),
        fault_of(signal.SIGINT, 130, "Interrupted", fault="Ctrl-C in a run"),
        fault_of(signal.SIGTERM, 130, "Interrupted", fault="SIGTERM to a run"),
    ],
)
def test_a_killed_run_ends_with_the_bits_of_an_undisturbed_one(
    project, tmp_path, undisturbed, number, fault
):
    home = tmp_path / "killed"
    _, code, errors = kill_after(project, home, 3, number)
    assert code == fault.code
    assert fault.says in errors
    assert "Traceback" not in errors
    assert GOES_ON in train(project, home)
    assert finished(home) == undisturbed
    assert len(undisturbed[1]) == 12


@pytest.mark.faults(
    fault="the newest checkpoint truncated, as by a power failure",
    lost=NOTHING,
    repeated="epochs after the checkpoint before",
    code=0,
    says=GOES_ON,
)
def test_a_damaged_checkpoint_falls_back_to_the_one_before(project, tmp_path, undisturbed, fault):
    (*_, before, newest), _, _ = kill_after(project, tmp_path / "killed", 3)
    os.truncate(newest, newest.stat().st_size // 2)
    said = train(project, tmp_path / "killed")
    assert f"{fault.says} {int(before.stem.removeprefix('epoch-'))}/12" in said
    assert finished(tmp_path / "killed") == undisturbed


# Ends the process that runs a script in the moment in which its run gets its place.
KILLED_AT_THE_END = """
import os, runpy, signal, sys
from pathlib import Path
def at(event, arguments):
    if event == "os.rename" and Path(os.fspath(arguments[1])).parent.name == "runs":
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(at)
_, _, *sys.argv = sys.argv
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.faults(
    fault="SIGKILL of a run in the moment before it is in the run store",
    lost=NOTHING,
    repeated="the last epoch",
    code=-9,
    says="",
)
def test_a_run_that_is_killed_before_it_has_its_place_keeps_its_epochs(
    project, tmp_path, undisturbed, fault
):
    home = tmp_path / "killed"
    home.mkdir()
    with started(project, home, before=[sys.executable, "-c", KILLED_AT_THE_END]) as process:
        _, errors = process.communicate(timeout=120)
    assert process.returncode == fault.code, errors
    assert "epoch 12/12" in errors
    assert not list((home / "runs").glob("*/run.json"))
    assert f"{GOES_ON} 11/12" in train(project, home)
    assert finished(home) == undisturbed
    assert not list((home / "runs" / ".unfinished").iterdir())


@pytest.mark.faults(
    fault="another learning rate after a kill",
    lost=NOTHING,
    repeated="nothing: it is another run",
    code=0,
    says="epoch 1/12",
)
def test_a_changed_parameter_never_goes_on_with_the_old_run(project, tmp_path, undisturbed, fault):
    home = tmp_path / "killed"
    kill_after(project, home, 3)
    said = train(project, home, "optimizer.learning_rate=0.002")
    assert fault.says in said
    assert GOES_ON not in said
    changed = finished(home)
    assert set(changed[1]).isdisjoint(undisturbed[1])
    (card,) = (home / "runs").glob("*/run.json")
    assert read_json(card)["identity"]["recipe"]["optimizer"]["learning_rate"] == 0.002
    assert GOES_ON in train(project, home)  # the old one is still there


@pytest.mark.faults(
    fault="the clock set back by a year after a kill",
    lost=NOTHING,
    repeated=SOME_EPOCHS,
    code=0,
    says=GOES_ON,
)
@pytest.mark.skipif(not shutil.which("faketime"), reason="needs faketime, a package of Debian's")
def test_a_clock_set_back_confuses_nothing(project, tmp_path, undisturbed, fault):
    home = tmp_path / "killed"
    kill_after(project, home, 3, before=["faketime", "-f", f"+{YEAR}s"])
    for path in home.rglob("*"):  # faketime can't do that: files know the kernel's time
        os.utime(path, (time.time() + YEAR, time.time() + YEAR))
    (*_, newest), _, _ = kill_after(project, home, 6)
    said = train(project, home)
    assert f"{fault.says} {int(newest.stem.removeprefix('epoch-'))}/12" in said
    assert fault.says not in train(project, home)  # it is finished
    assert finished(home) == undisturbed
    mlflow.set_tracking_uri(f"sqlite:///{home / 'mlflow.db'}")
    (status,) = mlflow.search_runs(experiment_names=["sidebyside"])["status"]
    assert status == "FINISHED"


@contextlib.contextmanager
def small_disk(folder, megabytes):
    """Mount a disk of a few MB at ``folder`` for processes started by way of what this gives.

    Also gives where others see the files on it.
    """
    folder.mkdir()
    mount = f"mount -t tmpfs -o size={megabytes}m tmpfs {folder} && echo ready && exec sleep 600"
    holder = subprocess.Popen(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said = holder.stdout.readline()
        if said != "ready\n":
            pytest.skip(f"needs a disk of its own, which this machine doesn't allow: {said}")
        enter = ["nsenter", f"--target={holder.pid}", "--user", "--mount"]
        seen = f"/proc/{holder.pid}/root{folder}"
        yield [*enter, "--preserve-credentials", "--"], type(folder)(seen)
    finally:
        holder.kill()
        holder.communicate()


def fill(disk, but=0):
    """Fill a disk, ``but`` so many bytes, and return the file that does."""
    path = disk / "filler"
    with contextlib.suppress(OSError), path.open("ab", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    os.truncate(path, path.stat().st_size - but)
    return path


@pytest.mark.faults(
    fault="the disk full while a checkpoint is written",
    lost="that checkpoint",
    repeated="nothing",
    code=0,
    says="no checkpoint after epoch",
)
def test_a_disk_that_is_full_for_a_moment_costs_a_checkpoint(project, tmp_path, undisturbed, fault):
    with small_disk(tmp_path / "home", 40) as (enter, disk):
        with started(project, tmp_path / "home", before=enter) as process:
            wait_for_epoch(process, disk / "runs" / ".unfinished", 2)
            filler = fill(disk)
            read_until(process.stderr, fault.says)
            filler.unlink()
            _, errors = process.communicate(timeout=120)
        assert process.returncode == fault.code, errors
        assert finished(disk) == undisturbed


@pytest.mark.faults(
    fault="the disk full while the database and the run's files are written",
    lost=NOTHING,
    repeated=SOME_EPOCHS,
    code=2,
    says="No space is left on a disk",
)
@pytest.mark.parametrize(
    ("arguments", "room"),
    # With room to begin the file of the weights, and none to end it, HDF5 would crash.
    [([], 0), pytest.param([], 100_000, marks=pytest.mark.release), (["-m"], 0)],
    ids=["run", "half the weights", "sweep"],
)
def test_a_full_disk_is_named_and_nothing_is_lost(
    project, tmp_path, undisturbed, arguments, room, fault
):
    with small_disk(tmp_path / "home", 40) as (enter, disk):
        with started(project, tmp_path / "home", *arguments, before=enter) as process:
            wait_for_epoch(process, disk / "runs" / ".unfinished", 2)
            filler = fill(disk, but=room)
            while not room and process.poll() is None:  # what a journal or a checkpoint gives back
                fill(disk)
                time.sleep(0.02)
            _, errors = process.communicate(timeout=120)
        assert process.returncode == fault.code, errors
        assert fault.says in errors
        assert "Traceback" not in errors
        filler.unlink()
        assert GOES_ON in train(project, tmp_path / "home", before=enter)
        assert finished(disk) == undisturbed
        copied = shutil.copy(disk / "mlflow.db", tmp_path / "copied.db")
    client = mlflow.MlflowClient(f"sqlite:///{copied}")
    (run,) = client.search_runs(["1"], "tags.run_key != ''")
    assert run.info.status == "FINISHED"
    steps = [point.step for point in client.get_metric_history(run.info.run_id, "loss")]
    assert sorted(set(steps)) == list(range(1, 13))
