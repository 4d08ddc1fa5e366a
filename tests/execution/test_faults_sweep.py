"""Multiruns that are killed, cut short or met by others."""

import contextlib
import json
import os
import shutil
import signal
import sys
import time

import numpy as np
import psutil
import pytest

from sidebyside.files import file_digest, read_json, write_json
from support.processes import run, run_here
from support.projects import TINY, copy_project
from support.sweeps import (
    are_done,
    has_checkpoint,
    keys_in,
    parents_of,
    runs_of,
    started,
    sweep_here,
    wait_for_training,
    wait_until,
)

pytestmark = pytest.mark.slow

NOTHING = "nothing finished"
SOME_EPOCHS = "epochs after the last checkpoint"
FOUR = ("optimizer=adam,sgd", "seed=0,1", "training.epochs=10")


def one(*values, id, more=(), **promise):
    """Return a case of a test, with what is promised when a run is cut short there."""
    marker = pytest.mark.faults(lost=NOTHING, repeated=SOME_EPOCHS, **promise)
    return pytest.param(*values, marks=[marker, *more], id=id)


def of_signal(number, fault, code, says):
    """Return a case of a test that sends a signal."""
    more = [pytest.mark.release] if number == signal.SIGTERM else []
    return one(number, id=number.name, more=more, fault=fault, code=code, says=says)


def timings(home):
    """Return when each finished run was trained: another training would leave another time."""
    return {key: (home / "runs" / key / "timing.json").read_text() for key in keys_in(home)}


def roles(home):
    """Return what launches did with runs: trained, reused or retrained."""
    return runs_of(home).filter(like="tags.mlflow.launch.").stack().tolist()


@pytest.mark.parametrize(
    "number",
    [
        of_signal(
            signal.SIGKILL, "SIGKILL of a worker in the middle of an epoch", 1, "died (SIGKILL)"
        ),
        of_signal(
            signal.SIGTERM, "SIGTERM to a worker in the middle of an epoch", 1, "died (SIGTERM)"
        ),
    ],
)
def test_a_worker_that_is_killed_fails_alone(project, tmp_path, number, fault):
    with started(project, tmp_path, *FOUR, "hydra.launcher.workers=2") as process:
        os.kill(wait_for_training(process, tmp_path), number)
        output, errors = process.communicate(timeout=240)
    assert process.returncode == fault.code, errors
    assert "1 runs failed" in output
    assert fault.says in output
    assert len(keys_in(tmp_path)) == 3
    assert sorted(runs_of(tmp_path)["status"]) == ["FAILED"] + ["FINISHED"] * 3
    kept = timings(tmp_path)
    again = sweep_here(project, tmp_path, *FOUR)
    assert again.returncode == 0, again.stderr
    assert len(keys_in(tmp_path)) == 4
    assert kept.items() <= timings(tmp_path).items()
    assert list(runs_of(tmp_path)["status"]) == ["FINISHED"] * 4


@pytest.mark.parametrize(
    "number",
    [
        of_signal(signal.SIGINT, "Ctrl-C in a sweep", 130, "The same command again goes on"),
        of_signal(signal.SIGTERM, "SIGTERM to a sweep", 130, "The same command again goes on"),
        of_signal(signal.SIGKILL, "SIGKILL of a sweep's parent process", -9, ""),
    ],
)
def test_an_interrupted_sweep_keeps_what_is_finished(project, tmp_path, number, fault):
    # One run that never ends and one that does soon, so that both kinds are there at the signal.
    command = ["training.epochs=1000000,2", "hydra.launcher.workers=2"]
    with started(project, tmp_path, *command) as process:
        unfinished = tmp_path / "runs" / ".unfinished"
        wait_until(lambda: any(unfinished.glob("*/progress.json")), process=process)
        both = {"FINISHED", "RUNNING"}
        wait_until(lambda: set(runs_of(tmp_path)["status"]) == both, process=process)
        workers = psutil.Process(process.pid).children(recursive=True)
        began = time.monotonic()
        process.send_signal(number)
        process.wait(timeout=60)
        assert not psutil.wait_procs(workers, timeout=10)[1]
        _, errors = process.communicate()
    assert time.monotonic() - began < 30  # two seconds where nothing else runs
    assert process.returncode == fault.code, errors
    assert fault.says in errors
    assert "Traceback" not in errors
    kept = timings(tmp_path)
    assert kept
    again = sweep_here(project, tmp_path, "training.epochs=2")  # closes what a killed process left
    assert again.returncode == 0, again.stderr
    assert timings(tmp_path) == kept
    runs = runs_of(tmp_path)
    assert set(runs["status"]) == {"FINISHED", "KILLED"}
    assert set(runs[runs["status"] == "FINISHED"]["tags.run_key"]) == keys_in(tmp_path)
    assert sorted(parents_of(tmp_path)["status"]) == ["FINISHED", "KILLED"]


@pytest.mark.faults(
    fault="another normalisation of its dataset, asked for while a sweep runs",
    lost="nothing",
    repeated="nothing",
    code=2,
    says="are in use with normalisation=scale by the launch of dataset=mnist5k",
)
def test_data_that_a_sweep_counts_on_are_exchanged_when_it_has_ended(project, tmp_path, fault):
    own, home = copy_project(tmp_path / "own"), tmp_path / "home"
    shutil.copytree(project / "data", own / "data")
    home.mkdir()
    script = str(own / "pipelines" / "train.py")
    other = [sys.executable, script, *TINY, "dataset.normalisation=standardise"]
    arrays = own / "data" / "processed" / "mnist5k" / "channels_last" / "arrays.json"
    before = arrays.read_bytes()
    with started(own, home, "seed=0,1", "training.epochs=1000000") as process:
        wait_until(lambda: are_done(home, 1), process=process)
        refused, after = run_here(other, own, home), arrays.read_bytes()
        process.kill()
    assert refused.returncode == fault.code, refused.stderr
    assert fault.says in refused.stderr
    assert after == before
    assert run_here(other, own, home).returncode == 0
    assert arrays.read_bytes() != before


@pytest.mark.faults(
    fault="Ctrl-C in a sweep that imports TensorFlow",
    lost="nothing",
    repeated="nothing",
    code=130,
    says="Interrupted: what is finished is kept",
)
def test_a_sweep_that_is_starting_is_interrupted_without_a_traceback(project, tmp_path, fault):
    with started(project, tmp_path, *FOUR) as process:
        parent = psutil.Process(process.pid)
        # TensorFlow's library is open long before all of TensorFlow is imported.
        wait_until(lambda: any(map(_imports_tensorflow, parent.children())), process=process)
        below = parent.children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == fault.code, errors
    asked, *_, said = (line for line in errors.splitlines() if line)
    assert asked == "dataset=mnist5k: 4 runs"
    assert said.startswith(fault.says)
    assert not psutil.wait_procs(below, timeout=30)[1]


def _imports_tensorflow(process):
    with contextlib.suppress(psutil.NoSuchProcess):
        return any("libtensorflow" in mapped.path for mapped in process.memory_maps())
    return False


@pytest.mark.faults(
    fault="Ctrl-C while Python tidies up, where it goes no further than to a message",
    lost="nothing",
    repeated="nothing",
    code=130,
    says="Interrupted: what is finished is kept",
)
def test_no_interruption_is_swallowed(project, tmp_path, fault):
    done = run([sys.executable, "-c", TIDYING, str(project)], project, tmp_path)
    assert done.returncode == fault.code, done.stderr
    assert fault.says in done.stderr


TIDYING = """
import signal, sys, time
from pathlib import Path
from sidebyside.cli.stage import main

class Last:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

def task(config):
    Last()
    time.sleep(60)

project = Path(sys.argv.pop())
main(project)(task)()
"""
WIDE = TINY[0].replace("units:16", "units:150000").removeprefix("model.blocks=")  # 0.5 GB


@pytest.mark.parametrize(
    ("grid", "limit"),
    [
        one(
            "training.epochs=1000000,1",
            "time_limit=25.0",
            id="time",
            fault="a run that takes longer than `hydra.launcher.time_limit`",
            code=1,
            says="it took longer than time_limit=25.0 s",
        ),
        one(
            f"{TINY[0]},{WIDE}",
            "memory_limit=1200",
            id="memory",
            fault="a run that takes more memory than `hydra.launcher.memory_limit`",
            code=1,
            says="it took more than memory_limit=1200 MiB",
        ),
    ],
)
def test_a_run_over_its_limit_fails_alone(project, tmp_path, grid, limit, fault):
    done = sweep_here(project, tmp_path, grid, f"hydra.launcher.{limit}")
    assert done.returncode == fault.code, done.stderr
    assert fault.says in done.stdout
    assert sorted(runs_of(tmp_path)["status"]) == ["FAILED", "FINISHED"]
    assert len(keys_in(tmp_path)) == 1


@pytest.mark.faults(
    fault="two sweeps of the same study at once",
    lost="nothing",
    repeated="nothing: each run is trained once",
    code=0,
    says="4/4 runs",
)
def test_two_sweeps_of_a_study_share_its_runs(project, tmp_path, fault):
    study = ["study=factorial", "model.kernel_size=3", "model.dropout=true", "seed=0"]
    with started(project, tmp_path, *study) as one, started(project, tmp_path, *study) as other:
        for process in (one, other):
            _, errors = process.communicate(timeout=240)
            assert process.returncode == fault.code, errors
            assert fault.says in errors
    assert len(keys_in(tmp_path)) == 4
    assert sorted(roles(tmp_path)) == ["reused"] * 4 + ["trained"] * 4
    assert set(runs_of(tmp_path)["status"]) == {"FINISHED"}
    assert list(parents_of(tmp_path)["status"]) == ["FINISHED"]


@pytest.mark.faults(
    fault="an edit of a module that decides results",
    lost="nothing",
    repeated="runs that it makes stale",
    code=0,
    says="networks.py changed since",
)
def test_an_edit_makes_stale_what_it_may_change(project, tmp_path, fault):
    root, home = copy_project(tmp_path / "edited"), tmp_path / "home"
    home.mkdir()
    os.symlink(project / "data", root / "data")

    def edit_and_train(module):
        path = root / "src" / "sidebyside" / f"{module}.py"
        path.write_text(f"{path.read_text()}\n# edited\n")
        done = run([sys.executable, "pipelines/train.py", *TINY], root, home, root)
        assert done.returncode == fault.code, done.stderr
        return done.stderr

    edit_and_train("cli/tables")
    first = timings(home)
    assert "changed since" not in edit_and_train("cli/tables")
    assert timings(home) == first
    said = edit_and_train("engine/training/networks")
    assert "1 of 1 runs" in said
    assert fault.says in said
    assert first.items() <= timings(home).items()
    assert len(timings(home)) == 2


@pytest.mark.faults(
    fault="a checkpoint changed by hand, its digest too",
    lost="nothing",
    repeated="nothing; the run goes on from it",
    code=0,
    says="1/1 runs",
)
def test_verify_names_the_epoch_after_a_checkpoint_that_was_changed(project, tmp_path, fault):
    root = copy_project(tmp_path / "changed")
    os.symlink(project / "data", root / "data")
    one = ["study=factorial", "model.kernel_size=3", "model.dropout=true", "optimizer=adam"]
    one += ["data_format=channels_last", "seed=0", "training.epochs=20"]
    with started(root, root, *one) as process:
        unfinished = root / "runs" / ".unfinished"
        wait_until(lambda: has_checkpoint(unfinished, 3), process=process)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    newest = max(unfinished.glob("*/checkpoints/epoch-*.json")).with_suffix(".npz")
    with np.load(newest) as stored:
        variables = [stored[name] for name in stored.files]
    np.savez(newest, variables[0] + 1, *variables[1:])
    card = read_json(newest.with_suffix(".json"))
    write_json(newest.with_suffix(".json"), card | {"sha256": file_digest(newest)})
    done = sweep_here(root, root, *one)
    assert done.returncode == fault.code, done.stderr
    assert fault.says in done.stderr
    (verdict,) = verified(root)
    assert verdict["first_epoch"] == int(newest.stem.removeprefix("epoch-")) + 1


def verified(root):
    command = [sys.executable, "-m", "sidebyside.cli.main", "verify", "bits", "--all", "--json"]
    done = run_here(command, root, root)
    assert done.returncode == 1, done.stderr
    return json.loads(done.stdout)["verdicts"]
