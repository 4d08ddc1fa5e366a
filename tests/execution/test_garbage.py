"""``sidebyside gc``: what nothing refers to goes, beside a sweep too, and when it is killed."""

import contextlib
import json
import os
import shutil
import signal
import sys

import pytest

from sidebyside.cli.main import main
from sidebyside.execution.garbage.removing import Garbage, remove
from sidebyside.execution.running.launches import Launch, RunShown, noted
from sidebyside.files import read_json, write_json
from sidebyside.storage import store
from support.processes import run_here, start
from support.projects import SOURCE
from support.sweeps import are_done, keys_in, started, sweep_here, wait_until

pytestmark = pytest.mark.slow

GC = [sys.executable, "-m", "sidebyside.cli.main", "gc", "--yes"]
SEEDS = ("seed=0,1",)


@pytest.fixture(scope="module")
def swept(project, tmp_path_factory):
    """The home of a finished ad-hoc sweep over two seeds."""
    home = tmp_path_factory.mktemp("swept")
    done = sweep_here(project, home, *SEEDS)
    assert done.returncode == 0, done.stderr
    return home


@pytest.fixture
def kept(swept, home):
    """A copy of that home, which is this process' one."""
    shutil.copytree(swept / "runs", home / "runs")
    return home


def seed_of(home, key):
    return read_json(home / "runs" / key / store.CARD)["identity"]["recipe"]["seed"]


def test_a_study_with_a_mistake_is_named_and_nothing_goes(kept, project, capsys):
    path = project / "conf" / "study" / "mine.yaml"
    path.write_text("# @package _global_\nhydra:\n  sweeper:\n    params:\n      seed: 0,1\n")
    try:
        with pytest.raises(SystemExit) as ended:
            main(["gc", "--yes"])
    finally:
        path.unlink()
    assert ended.value.code == 2
    assert "conf/study/mine.yaml has a mistake, so nobody knows" in capsys.readouterr().err
    assert len(keys_in(kept)) == 2


def test_what_something_refers_to_stays(kept, capsys):
    one, other = sorted(keys_in(kept))
    main(["gc"])
    said = capsys.readouterr()
    assert "nobody to ask" in said.err
    assert "conv_pair on mnist5k, 1 epochs" in said.out
    assert keys_in(kept) == {one, other}
    launch = Launch("0123", "dataset=mnist5k")
    results = kept / "results" / "mnist5k" / "mine" / "train"
    with noted(launch):
        launch.add({one: RunShown("seed=0", 1, 1)})
        results.mkdir(parents=True)
        write_json(results / "study.json", {"runs": [{"key": other}]})
        main(["gc", "--yes"])
        assert keys_in(kept) == {one, other}
    with store.locked(one):  # as who trains or publishes it has it
        assert remove([Garbage(kept / "runs" / one, "run", "", 0, one)]) == []
    assert keys_in(kept) == {one, other}
    capsys.readouterr()
    main(["gc", "--yes", "--json"])
    (gone,) = json.loads(capsys.readouterr().out)
    assert (gone["key"], gone["removed"]) == (one, True)
    assert keys_in(kept) == {other}


def test_runs_of_a_study_and_its_checkpoints_stay(kept, capsys, monkeypatch):
    """Whatever the seed is; of another number of epochs they aren't the study's."""
    from sidebyside.config.compose import compose_grid
    from sidebyside.execution.planned import Planned

    jobs = Planned().add(compose_grid(["study=factorial", "seed=0,7"]))
    of_study = next(job for job in jobs if job.run.seed == 7)
    card = kept / "runs" / of_study.run.key / store.CARD
    card.parent.mkdir()
    write_json(card, {"key": of_study.run.key, "identity": of_study.identity})
    store.begin(jobs[0].run.key)
    store.begin("ab" * 32)
    store.begin("cd" * 32)
    for folder in (kept / "runs" / ".unfinished").iterdir():
        if folder.name != "cd" * 32:  # which was left today
            os.utime(folder, (0, 0))
    (kept / "runs" / ".damaged" / "cd").mkdir(parents=True)
    main(["gc", "--yes"])
    assert keys_in(kept) == {of_study.run.key}
    assert not list((kept / "runs" / ".damaged").iterdir())
    assert {path.name for path in (kept / "runs" / ".unfinished").iterdir()} == {
        jobs[0].run.key,
        "cd" * 32,
    }


def test_runs_of_a_study_by_machines_of_another_class_stay(home):
    """As those of a cluster's nodes do where its login node is an older machine."""
    from sidebyside.config.compose import compose_grid
    from sidebyside.execution.planned import Planned

    job = Planned().add(compose_grid(["study=factorial", "seed=7"]))[0]
    for numerics in ("avx512", "avx2", "native"):
        environment = job.identity["environment"] | {"numerics": numerics}
        card = home / "runs" / numerics / store.CARD
        card.parent.mkdir(parents=True)
        write_json(card, {"identity": job.identity | {"environment": environment}})
    main(["gc", "--yes"])
    assert keys_in(home) == {"avx512", "avx2", "native"}


def test_what_a_kill_has_left_of_a_run_that_is_finished_goes(kept, capsys):
    one, other = sorted(keys_in(kept))
    for key in (one, other):
        (store.begin(key) / store.CHECKPOINTS).mkdir()
    launch = Launch("0123", "dataset=mnist5k")
    with noted(launch), store.locked(other):  # as who trains it anew has it
        launch.add({key: RunShown("seed=0", 1, 1) for key in (one, other)})
        main(["gc", "--yes"])
    assert "left by a kill" in capsys.readouterr().out
    assert {path.name for path in (kept / "runs" / ".unfinished").iterdir()} == {other}
    assert keys_in(kept) == {one, other}


@pytest.mark.parametrize(
    ("damaged", "content", "said"),
    [
        (
            "conf/study/factorial.yaml",
            "# @package _global_\nstudy: {name: factorial, margn: 1}\n",
            "study.margn",
        ),
        ("conf/study/factorial.yaml", "study: [\n", "factorial.yaml"),
        ("reports/mnist5k/factorial/evidence.npz", "", "nobody knows which runs it needs"),
        ("reports/mnist5k/factorial/evidence.npz", "PK", "nobody knows which runs it needs"),
    ],
)
def test_nothing_goes_while_what_needs_it_can_not_be_read(
    kept, tmp_path, monkeypatch, capsys, damaged, content, said
):
    root = tmp_path / "workspace"
    shutil.copytree(SOURCE / "conf", root / "conf")
    shutil.copy(SOURCE / "params.yaml", root)
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(root))
    (root / damaged).parent.mkdir(parents=True, exist_ok=True)
    (root / damaged).write_text(content)
    runs = keys_in(kept)
    with pytest.raises(SystemExit) as ended:
        main(["gc", "--yes"])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    assert keys_in(kept) == runs


@pytest.mark.faults(
    fault="SIGKILL of `sidebyside gc` while it removes runs",
    lost="nothing; no run is there in part",
    repeated="the removal of what is left",
    code=-9,
    says="",
)
def test_a_removal_that_is_killed_leaves_whole_runs(project, kept, fault):
    runs = kept / "runs"
    real = sorted(keys_in(kept))[0]
    for number in range(300):
        shutil.copytree(runs / real, runs / f"{number:064x}")
    results = kept / "results" / "mnist5k" / "mine" / "train"
    results.mkdir(parents=True)
    write_json(results / "study.json", {"runs": [{"key": real}]})
    with start(GC, project, kept) as process:
        wait_until(lambda: any_of(runs / ".removed"), pause=0.002)
        process.kill()
        assert process.wait(60) == fault.code
    left = keys_in(kept)
    assert real in left
    for key in left:
        store.load(runs / key)
    again = run_here(GC, project, kept)
    assert again.returncode == 0, again.stderr
    assert keys_in(kept) == {real}
    assert not (runs / ".removed").exists()


def any_of(folder):
    with contextlib.suppress(FileNotFoundError):
        return any(folder.iterdir())
    return False


@pytest.mark.release
@pytest.mark.faults(
    fault="`sidebyside gc --yes` while a sweep runs",
    lost="nothing that the sweep counts on",
    repeated="nothing",
    code=0,
    says="1 removed",
)
def test_a_removal_beside_a_sweep_takes_none_of_its_runs(project, kept, fault):
    first = next(key for key in keys_in(kept) if seed_of(kept, key) == 0)
    with started(project, kept, "training.epochs=1,1000000") as process:
        wait_until(lambda: are_done(kept, 1), process=process)
        done = run_here(GC, project, kept)
        assert done.returncode == fault.code, done.stderr
        assert fault.says in done.stdout
        assert keys_in(kept) == {first}
        assert are_done(kept, 1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert "1 of 2 runs are finished and kept" in errors
