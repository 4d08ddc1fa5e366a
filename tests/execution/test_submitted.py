"""Launches that go on without whoever submitted them."""

import contextlib
import os
import shlex
import signal
import sys

import pytest

from sidebyside.cli.main import main
from sidebyside.execution.running.launches import Launch, RunShown, noted
from sidebyside.execution.submitted import records
from sidebyside.files import read_json
from sidebyside.tracking.liveness import is_alive
from support.processes import read_until, start
from support.projects import TINY
from support.submitted import sidebyside, status, submit
from support.sweeps import keys_in, runs_of, wait_until

ENDLESS = ("training.epochs=1000000",)


@pytest.fixture(autouse=True)
def _nothing_goes_on(tmp_path):
    """End the drivers that a test which fails has left: who submits a launch may go."""
    yield
    for path in tmp_path.glob("runs/.submitted/*/process.json"):
        if is_alive(tags := read_json(path)):
            os.killpg(int(tags["process.id"]), signal.SIGKILL)  # with its workers


def driver(home, launch):
    """Return the process id of a launch's driver."""
    return int(read_json(home / "runs" / ".submitted" / launch / "process.json")["process.id"])


def trains(home, launch):
    """Whether a run is being trained since a launch was submitted."""
    began = (home / "runs" / ".submitted" / launch / "launch.json").stat().st_mtime
    progress = (home / "runs" / ".unfinished").glob("*/progress.json")
    for path in progress:
        with contextlib.suppress(FileNotFoundError):  # its run is begun anew
            if path.stat().st_mtime > began:
                return True
    return False


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("optimizer=adamm,sgd", "optimizer=adamm is unknown (did you mean adam"),
        ("training.epochs=1,0", "training.epochs=0 won't do"),
        (
            "hydra.launcher.workers=none",
            'hydra.launcher.workers="none" won\'t do: it should be a valid',
        ),
        ("study.until=decided", "study.until=decided is of a study, and none is chosen"),
    ],
)
def test_a_mistake_is_told_before_anything_is_submitted(project, tmp_path, argument, said):
    done = sidebyside(project, tmp_path, "submit", argument)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "runs" / ".submitted").exists()


def test_a_launch_that_is_unknown_is_told(project, tmp_path):
    assert "Nothing has been submitted" in sidebyside(project, tmp_path, "status").stdout
    done = sidebyside(project, tmp_path, "wait", "abc")
    assert done.returncode == 2
    assert "No launch begins with abc" in done.stderr


def test_a_launch_of_a_terminal_is_neither_waited_for_nor_cancelled(home, capsys):
    launch = Launch("0123456789ab", "dataset=mnist5k")
    with noted(launch):
        launch.add({"aa": RunShown("seed=0", 3, 1)})
        for command in ("wait", "cancel"):
            with pytest.raises(SystemExit) as ended:
                main([command, launch.id])
            assert ended.value.code == 2
            said = capsys.readouterr().err
            assert f"Launch {launch.id} wasn't submitted" in said
            assert f"`kill {launch.process['process.id']}`" in said
    with pytest.raises(SystemExit):
        main(["wait", launch.id])
    assert f"No launch begins with {launch.id}" in capsys.readouterr().err


def test_a_submitted_launch_is_shown_by_one_id(home, capsys):
    submitted = records.begin([], "local", "dataset=mnist5k", 1)
    records.write(submitted)
    records.note_start(submitted.id)
    launch = Launch("0123456789ab", "dataset=mnist5k")
    with noted(launch):
        launch.add({"aa": RunShown("seed=0", 3, 1)})
        main(["status"])
        said = capsys.readouterr().out
    assert f"launch {submitted.id}: dataset=mnist5k, process {os.getpid()}" in said
    assert launch.id not in said


@pytest.mark.slow
def test_a_launch_outlives_its_terminal_and_is_found_by_its_id(project, tmp_path):
    command = [sys.executable, "-m", "sidebyside.cli.main", "submit", *TINY]
    # A terminal that is closed hangs up whatever is in its session.
    with start(["sh", "-c", f"{shlex.join(command)}; kill -HUP 0"], project, tmp_path) as terminal:
        said, errors = terminal.communicate()
    assert terminal.returncode == -signal.SIGHUP, errors
    launch = said.split()[1].rstrip(":")
    assert status(project, tmp_path, launch)["state"] == "running"
    waited = sidebyside(project, tmp_path, "wait", launch[:6])
    assert waited.returncode == 0, waited.stderr
    assert waited.stderr.splitlines()[-1] == "finished, 1/1 runs"
    assert "finished" in sidebyside(project, tmp_path, "status").stdout
    assert len(keys_in(tmp_path)) == 1
    assert list(runs_of(tmp_path)["status"]) == ["FINISHED"]


@pytest.mark.slow
@pytest.mark.faults(
    fault="SIGKILL of what drives a launch that was submitted",
    lost="nothing finished",
    repeated="epochs after the last checkpoint",
    code=1,
    says="go on with: sidebyside submit",
)
def test_a_launch_whose_driver_is_killed_says_so_and_goes_on(project, tmp_path, fault):
    launch = submit(project, tmp_path, *ENDLESS, "seed=0,1")
    wait_until(lambda: trains(tmp_path, launch))
    os.kill(driver(tmp_path, launch), signal.SIGKILL)
    waited = sidebyside(project, tmp_path, "wait", launch)
    assert waited.returncode == fault.code
    assert fault.says in waited.stdout
    assert status(project, tmp_path, launch)["state"] == "killed"
    assert sidebyside(project, tmp_path, "cancel", launch).stdout.endswith("killed already\n")
    again = submit(project, tmp_path, *ENDLESS, "seed=0,1")
    wait_until(lambda: trains(tmp_path, again))
    assert sidebyside(project, tmp_path, "cancel", again).returncode == 0
    assert status(project, tmp_path, again)["code"] == 130
    assert set(runs_of(tmp_path)["status"]) == {"KILLED"}


@pytest.mark.slow
@pytest.mark.faults(
    fault="Ctrl-C of `sidebyside wait`",
    lost="nothing; the launch goes on",
    repeated="nothing",
    code=130,
    says="goes on; `sidebyside cancel",
)
def test_who_stops_waiting_stops_no_launch(project, tmp_path, fault):
    launch = submit(project, tmp_path, *ENDLESS)
    command = [sys.executable, "-m", "sidebyside.cli.main", "wait", launch]
    with start(command, project, tmp_path) as waiting:
        assert waiting.stderr is not None
        read_until(waiting.stderr, "running")
        waiting.send_signal(signal.SIGINT)
        _, errors = waiting.communicate(timeout=30)
    assert waiting.returncode == fault.code
    assert fault.says in errors
    assert status(project, tmp_path, launch)["state"] == "running"
    wait_until(lambda: trains(tmp_path, launch))
    stopped = sidebyside(project, tmp_path, "cancel", launch)
    assert stopped.returncode == 0, stopped.stderr
    assert status(project, tmp_path, launch)["state"] == "stopped"


@pytest.mark.slow
@pytest.mark.faults(
    fault="a run of a submitted launch fails",
    lost="that run",
    repeated="nothing",
    code=1,
    says="failed with 1 of 2 runs",
)
def test_a_launch_ends_with_the_exit_code_of_the_sweep(project, tmp_path, fault):
    rates = "optimizer.learning_rate=0.001,1e30"
    launch = submit(project, tmp_path, rates, "training.diverged=fails", "optimizer=sgd")
    waited = sidebyside(project, tmp_path, "wait", launch)
    assert waited.returncode == fault.code, waited.stderr
    assert fault.says in waited.stdout
