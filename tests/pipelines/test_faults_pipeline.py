"""``dvc repro`` that is killed, met by others, or served damaged files."""

import os
import shutil
import signal
import subprocess

import psutil
import pytest
import yaml

from support.processes import Started, read_until
from support.projects import SOURCE
from support.repositories import Repository, launch_roles, make_repository
from support.sweeps import wait_until

pytestmark = pytest.mark.slow

# What a stage writes some time before it ends, and how many epochs it trains.
STAGES = (
    ("download", "data/raw/.mnist5k.lock", 1),
    ("preprocess@channels_last", "data/processed/mnist5k/.channels_last.lock", 1),
    ("train", "runs/.unfinished/*/progress.json", 1_000_000),  # an orphan would never end
    ("train", "runs/*/run.json", 1),
    ("evaluate", "runs/*/evaluation", 1),
    ("compare", "reports/mnist5k/tiny/comparison.json", 1),
)
NOTHING = "nothing finished"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Repository:
    """A repository in which nothing happened to the study."""
    repository = make_repository(tmp_path_factory.mktemp("undisturbed"))
    repository.run("dvc", "repro")
    return repository


def start(repository, *command, **more):
    return Started(
        command,
        cwd=repository.root,
        env=repository.environment() | more,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def end(process, number):
    """Send a signal, as a terminal or an administrator would; wait for all that it started."""
    started = psutil.Process(process.pid).children(recursive=True)
    if number == signal.SIGINT:  # a terminal's Ctrl-C reaches all
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    process.wait(timeout=30)
    assert not psutil.wait_procs(started, timeout=30)[1], "an orphan goes on"
    said, _ = process.communicate()
    return said


def set_epochs(repository, epochs):
    path = repository.root / "params.yaml"
    params = yaml.safe_load(path.read_text())
    params["training"]["epochs"] = epochs
    path.write_text(yaml.safe_dump(params))


def in_each_stage(number, fault, code, *marks):
    marker = pytest.mark.faults(
        fault=f"{fault} in each stage",
        lost=NOTHING,
        repeated="the stage, without the runs it had finished",
        code=code,
        says="",
    )
    return pytest.param(number, marks=(marker, *marks), id=number.name)


@pytest.mark.timeout(1200)  # seven times `dvc repro`
@pytest.mark.parametrize(
    "number",
    [
        in_each_stage(signal.SIGKILL, "SIGKILL of `dvc repro`", -9),
        in_each_stage(signal.SIGTERM, "SIGTERM to `dvc repro`", -15, pytest.mark.release),
        in_each_stage(signal.SIGINT, "Ctrl-C in `dvc repro`", 255, pytest.mark.release),
    ],
)
def test_a_repro_killed_in_each_stage_ends_as_an_undisturbed_one(
    tmp_path, undisturbed, number, fault
):
    repository = make_repository(tmp_path / "killed")
    for stage, written, epochs in STAGES:
        set_epochs(repository, epochs)
        with start(repository, "dvc", "repro") as process:
            read_until(process.stdout, f"Running stage '{stage}'")
            wait_until(
                lambda written=written: any(repository.root.glob(written)),
                process=process,
            )
            said = end(process, number)
            between = {252} if number == signal.SIGINT else set()  # two stages DVC ends otherwise
            assert process.returncode in {fault.code} | between, said
            assert "Traceback" not in said
    repository.run("dvc", "repro")
    assert repository.lock() == undisturbed.lock()
    assert repository.comparison() == undisturbed.comparison()
    runs = repository.runs()
    assert set(runs["status"]) == {"FINISHED", "KILLED"}
    kept = runs[runs["params.epochs"].eq("1") & runs["tags.level"].eq("run")]
    assert list(kept["status"]) == ["FINISHED"] * 4
    assert launch_roles(kept).count("trained") <= 4


@pytest.mark.faults(
    fault="a sweep of a study beside `dvc repro` of the same",
    lost="nothing",
    repeated="nothing: each run is trained once",
    code=0,
    says="4/4 runs",
)
def test_a_sweep_beside_a_repro_shares_its_runs(tmp_path, undisturbed, fault):
    repository = make_repository(tmp_path / "shared")
    sweep = ("python", "pipelines/train.py", "-m", "study=tiny")
    with start(repository, "dvc", "repro") as repro, start(repository, *sweep) as other:
        for process in (repro, other):
            said, _ = process.communicate(timeout=300)
            assert process.returncode == fault.code, said
            assert fault.says in said
    assert repository.lock() == undisturbed.lock()
    assert repository.comparison() == undisturbed.comparison()
    assert "up to date" in repository.run("dvc", "status")
    runs = repository.runs()
    assert launch_roles(runs).count("trained") == 4
    assert set(runs["status"]) == {"FINISHED"}


@pytest.mark.faults(
    fault="a second `make study` while one runs",
    lost="nothing",
    repeated="nothing",
    code=0,
    says="Waiting for another dvc repro",
)
def test_a_second_make_waits_where_a_second_repro_is_refused(tmp_path, undisturbed, fault):
    repository = make_repository(tmp_path / "twice")
    shutil.copy(SOURCE / "Makefile", repository.root)
    make = ("make", "--assume-old=.venv/.ready", "study")
    with start(repository, *make) as first:
        read_until(first.stdout, "Running stage 'download'")
        with start(repository, *make) as second, start(repository, "dvc", "repro") as bare:
            read_until(second.stdout, fault.says)
            refused, _ = bare.communicate(timeout=60)
            assert "busy" in refused
            assert bare.returncode not in (0, None)
            for process in (first, second):
                said, _ = process.communicate(timeout=300)
                assert process.returncode == fault.code, said
    assert "up to date" in said
    assert repository.lock() == undisturbed.lock()


@pytest.mark.faults(
    fault="a flipped byte in an object of DVC's cache, still read-only",
    lost="that file",
    repeated="nothing",
    code=2,
    says="model.weights.h5 is missing or its content has changed",
)
def test_a_damaged_object_of_the_cache_is_never_trusted(tmp_path, undisturbed, fault):
    copy = Repository(tmp_path / "copy")
    shutil.copytree(undisturbed.root, copy.root, ignore=shutil.ignore_patterns("runs"))
    trained = copy.root / "results" / "mnist5k" / "tiny" / "train"
    whole = sorted(trained.glob("*/model.weights.h5"))[3]
    content = whole.read_bytes()
    objects = (copy.root / ".dvc" / "cache" / "files" / "md5").glob("*/*")
    (cached,) = [path for path in objects if path.read_bytes() == content]
    mode = cached.stat().st_mode
    cached.chmod(0o644)
    cached.write_bytes(content[:-5] + bytes([content[-5] ^ 1]) + content[-4:])
    cached.chmod(mode)
    shutil.rmtree(trained)
    copy.run("dvc", "checkout", "--force")  # which says nothing
    assert whole.read_bytes() != content
    with start(copy, "python", "pipelines/evaluate.py", "study=tiny") as process:
        said, _ = process.communicate(timeout=120)
    assert process.returncode == fault.code, said
    assert fault.says in said
    assert whole.parent.name[:12] in said
