"""Jobs of a real Slurm of one node: what they return, how they die, and who starts them again."""

import os
import shutil
import signal
import subprocess
import threading
import time
from functools import partial

import pytest

from sidebyside.config.launchers import Slurm
from sidebyside.errors import UserError
from sidebyside.execution.executors.interface import WorkerDiedError
from sidebyside.execution.executors.slurm import SlurmExecutor
from sidebyside.execution.executors.tasks import Task
from support.slurm import running_slurm
from support.submitted import sidebyside, status, submit
from support.sweeps import (
    are_done,
    digests,
    keys_in,
    runs_of,
    started,
    sweep_here,
    wait_until,
)

# A job takes seconds to start, to end and to be missed.
pytestmark = [pytest.mark.slow, pytest.mark.cluster]


NOTHING, SOME_EPOCHS = "nothing finished", "epochs after the last checkpoint"


@pytest.fixture(scope="module", autouse=True)
def _slurm():
    with running_slurm():
        yield


@pytest.fixture
def slurm(tmp_path):
    """A function that makes an executor."""

    def make(**settings):
        common = {"engine": "slurm", "memory": 500, "folder": str(tmp_path / "shared")}
        return SlurmExecutor(Slurm(**common | settings))

    return make


@pytest.fixture
def task(tmp_path):
    """A function that makes a task."""

    def make(call, **settings):
        return Task(call, tmp_path / "log.txt", **settings)

    return make


def jobs():
    """Return the states of all jobs by id."""
    said = subprocess.run(
        ["squeue", "-t", "all", "-r", "-h", "-o", "%i %T"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return dict(line.split() for line in said.splitlines())


def running():
    return [job for job, state in jobs().items() if state == "RUNNING"]


def fails():
    raise ValueError("no such level")


def job_of_this():
    return os.environ["SLURM_JOB_ID"]


def dies(times, folder):
    """Kill the job's process the first ``times`` times."""
    begun = len(list(folder.glob("died-*")))
    if begun < times:
        (folder / f"died-{begun}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "lives"


def stays(folder):
    """Stay until there is a file ``go``, and say how often it was begun."""
    (folder / f"begun-{time.time_ns()}").write_text(job_of_this())
    while not (folder / "go").exists():
        time.sleep(0.05)
    return len(list(folder.glob("begun-*")))


def test_results_come_as_they_end_and_a_failing_task_is_one(slurm, task, tmp_path):
    calls = [partial(stays, tmp_path), fails, lambda: print("hello") or 6 * 7, job_of_this]
    graphs = "abcc"
    tasks = [task(call, graph=graph) for call, graph in zip(calls, graphs, strict=True)]
    results = {}
    for number, outcome in slurm().run(tasks):
        results[number] = outcome
        if len(results) == 3:
            assert 0 not in results
            (tmp_path / "go").touch()
    assert results[0] == 1
    assert isinstance(results[1], ValueError)
    assert str(results[1]) == "no such level"
    assert results[2] == 42
    assert "hello\n" in (tmp_path / "log.txt").read_text()


def test_what_is_set_once_for_a_process_keeps_tasks_apart(slurm, task):
    tasks = [task(job_of_this, process=name) for name in "xyx"]
    done = dict(slurm(chunk=3).run(tasks))
    assert done[0] == done[2] != done[1]


def test_what_is_set_for_a_launch_reaches_jobs_that_take_nothing_over(slurm, task, monkeypatch):
    monkeypatch.setenv("SIDEBYSIDE_RETRAIN", "1")
    alone = slurm(parameters={"export": "NONE"})
    done = dict(alone.run([task(partial(os.environ.get, "SIDEBYSIDE_RETRAIN"))]))
    assert done == {0: "1"}


def test_tasks_that_come_later_are_submitted_too(slurm, task):
    begun = iter([[], [task(job_of_this), task(job_of_this)], []])
    done = dict(slurm().run([task(job_of_this)], lambda: next(begun, [])))
    assert done.keys() == {0, 1, 2}


def test_more_jobs_than_an_array_may_have_are_several_arrays(slurm, task):
    done = dict(slurm(chunk=1).run([task(job_of_this) for _ in range(5)]))  # MaxArraySize is 4
    assert len(set(done.values())) == 5


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"partition": "nowhere"}, "invalid partition specified: nowhere"),
        ({"memory": 10**6}, "Memory specification can not be satisfied"),
        ({"parameters": {"licenses": "x:9"}}, "Invalid license"),
    ],
)
def test_what_slurm_refuses_is_told(slurm, task, settings, said):
    with pytest.raises(UserError, match=f"Slurm takes no such job: .*{said}.*hydra.launcher"):
        list(slurm(**settings).run([task(fails)]))


@pytest.fixture
def refuses_once(tmp_path, monkeypatch):
    """An sbatch that refuses the second job which it is given, and no other."""
    given, program = tmp_path / "given", tmp_path / "bin" / "sbatch"
    program.parent.mkdir()
    refusal = "echo 'sbatch: error: QOSMaxSubmitJobPerUserLimit' >&2; exit 1"
    program.write_text(
        f"#!/bin/sh\necho >> {given}\n[ $(wc -l < {given}) = 2 ] && {{ {refusal}; }}\n"
        f'exec {shutil.which("sbatch")} "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


def test_of_arrays_that_slurm_takes_in_part_none_is_left(slurm, task, tmp_path, refuses_once):
    with pytest.raises(UserError, match="QOSMaxSubmitJobPerUserLimit"):
        list(slurm(chunk=1).run([task(partial(stays, tmp_path)) for _ in range(5)]))
    wait_until(lambda: not running())


def test_a_lost_task_that_slurm_refuses_is_submitted_later(
    slurm, task, tmp_path, refuses_once, capsys
):
    done = dict(slurm().run([task(partial(dies, 1, tmp_path))]))
    assert done == {0: "lives"}
    assert "QOSMaxSubmitJobPerUserLimit" in (said := capsys.readouterr().err)
    assert "Slurm is asked again." in said


def test_without_slurm_one_sentence_says_what_it_needs(slurm, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match="needs sbatch, which isn't on this machine's PATH"):
        slurm().start()


@pytest.mark.faults(
    fault="SIGKILL of a job's process, in Slurm",
    lost=NOTHING,
    repeated=SOME_EPOCHS,
    code="0, or 1 when it comes again",
    says="its job failed (FAILED)",
)
def test_who_dies_is_started_again_once_and_takes_no_other_with_it(slurm, task, tmp_path, fault):
    once, always = tmp_path / "once", tmp_path / "always"
    once.mkdir()
    always.mkdir()
    calls = [job_of_this, partial(dies, 1, once), partial(dies, 9, always), job_of_this]
    results = dict(slurm(chunk=4).run([task(call) for call in calls]))
    assert results[1] == "lives"
    assert isinstance(results[2], WorkerDiedError)
    assert fault.says in str(results[2])
    assert len(list(always.iterdir())) == 2
    assert results[0] != results[3]


def let_start(job):
    """Let a job start that was queued again, which Slurm has wait for two minutes."""
    if jobs().get(job) == "PENDING":
        time.sleep(1.5)  # a node starts no job again within the second that it has killed it in
        at_once = ["scontrol", "update", f"JobId={job}", "StartTime=now"]
        subprocess.run(at_once, capture_output=True, check=False)
    time.sleep(0.5)


def job_begun(folder, times=1):
    """Return the id of the job that is at `stays`, once it has begun so often."""

    def begun() -> bool:
        texts = [path.read_text() for path in sorted(folder.glob("begun-*"))]
        if texts and len(texts) < times:
            let_start(texts[-1])
        return len(texts) == times and bool(texts[-1])

    wait_until(begun, 60)
    return max(folder.glob("begun-*")).read_text()


@pytest.mark.faults(
    fault="scancel of a job of a study, in Slurm",
    lost=NOTHING,
    repeated=SOME_EPOCHS,
    code=1,
    says="its job was cancelled (CANCELLED)",
)
def test_a_job_that_is_cancelled_is_not_started_again(slurm, task, tmp_path, fault):
    future = slurm().first(task(partial(stays, tmp_path)))
    subprocess.run(["scancel", job_begun(tmp_path)], check=True)
    outcome = future.exception(timeout=60)
    assert isinstance(outcome, WorkerDiedError)
    assert fault.says in str(outcome)
    assert len(list(tmp_path.glob("begun-*"))) == 1


@pytest.mark.parametrize(
    "way",
    [
        pytest.param(
            way,
            id=name,
            marks=pytest.mark.faults(
                fault=f"{what}, in Slurm",
                lost=NOTHING,
                repeated=SOME_EPOCHS,
                code=0,
                says="",
            ),
        )
        for name, way, what in [
            ("requeued", ["scontrol", "requeue"], "a job is queued again"),
            ("warned", ["scancel", "--signal=USR2"], "a job reaches the end of its time"),
        ]
    ],
)
def test_a_job_that_is_queued_again_goes_on(slurm, task, tmp_path, way):
    future = slurm().first(task(partial(stays, tmp_path)))
    subprocess.run([*way, job_begun(tmp_path)], check=True)
    assert job_begun(tmp_path, times=2)
    (tmp_path / "go").touch()
    assert future.result(timeout=60) == 2


@pytest.mark.faults(
    fault="a job of another partition takes the place of a job, in Slurm",
    lost=NOTHING,
    repeated=SOME_EPOCHS,
    code=0,
    says="",
)
def test_a_job_that_is_preempted_goes_on(slurm, task, tmp_path):
    future = slurm().first(task(partial(stays, tmp_path)))
    assert job_begun(tmp_path)
    other = ["sbatch", "--partition=first", "--cpus-per-task=4", "--output=/dev/null"]
    subprocess.run([*other, "--wrap=true"], check=True)
    assert job_begun(tmp_path, times=2)
    (tmp_path / "go").touch()
    assert future.result(timeout=60) == 2


@pytest.mark.faults(
    fault="a run that its job queues again too often, in Slurm",
    lost=NOTHING,
    repeated=SOME_EPOCHS,
    code=1,
    says="it hadn't ended after its job was queued again 1 times",
)
def test_a_run_that_does_not_end_fails_alone(slurm, task, tmp_path, fault):
    executor = slurm(chunk=2, requeues=1)
    tasks = [task(partial(stays, tmp_path)), task(job_of_this)]
    results = {}

    def collect():
        results.update(executor.run(tasks))

    thread = threading.Thread(target=collect)
    thread.start()
    for times in (1, 2):
        job = job_begun(tmp_path, times)
        subprocess.run(["scancel", "--signal=USR2", job], check=True)
    while thread.is_alive():
        let_start(job)
    assert isinstance(results[0], WorkerDiedError)
    assert fault.says in str(results[0])
    assert isinstance(results[1], str)


def takes_memory():
    taken = b"x" * (700 * 2**20)
    time.sleep(30)
    return len(taken)


@pytest.mark.faults(
    fault="a run that takes more memory than `hydra.launcher.memory`, in Slurm",
    lost=NOTHING,
    repeated=SOME_EPOCHS,
    code=1,
    says="its job took more memory than it had asked for (OUT_OF_MEMORY)",
)
def test_a_job_over_its_memory_fails(slurm, task, fault):
    ((_, outcome),) = slurm(memory=300).run([task(takes_memory)])
    assert isinstance(outcome, WorkerDiedError)
    assert fault.says in str(outcome)


def test_leaving_early_cancels_what_is_under_way(slurm, task, tmp_path):
    calls = [job_of_this, partial(stays, tmp_path)]
    for _ in slurm(chunk=1).run([task(call) for call in calls]):
        break
    assert not running()
    assert "CANCELLED" in jobs().values()
    shared = tmp_path / "shared" / "slurm"
    assert not list(shared.glob("**/*.pkl"))  # which may hold a password


@pytest.mark.release
@pytest.mark.faults(
    fault="scancel of the job that drives a submitted launch, in Slurm",
    lost=NOTHING,
    repeated=SOME_EPOCHS,
    code=130,
    says="go on with: sidebyside submit",
)
def test_a_launch_is_a_job_that_submits_others(project, tmp_path, fault):
    mine = ("hydra/launcher=slurm", "hydra.launcher.memory=1000")
    launch = submit(project, tmp_path, "training.epochs=1,1000000", *mine)
    wait_until(lambda: len(keys_in(tmp_path)) == 1)
    now = status(project, tmp_path, launch)
    assert (now["state"], now["runs"]) == ("running", 2)
    subprocess.run(["scancel", now["job"]], check=True)
    waited = sidebyside(project, tmp_path, "wait", launch)
    assert waited.returncode == fault.code, waited.stderr
    assert fault.says in waited.stdout
    wait_until(lambda: not running())
    again = submit(project, tmp_path, "training.epochs=1", *mine)
    waited = sidebyside(project, tmp_path, "wait", again)
    assert waited.returncode == 0, waited.stderr
    assert waited.stderr.splitlines()[-1] == "finished, 1/1 runs"


@pytest.mark.faults(
    fault="SIGKILL of the driver of a sweep that runs in Slurm, whose jobs go on",
    lost=NOTHING,
    repeated="nothing",
    code=-9,
    says="",
)
def test_jobs_of_a_killed_sweep_go_on_and_are_waited_for(project, tmp_path, fault):
    grid = ["training.epochs=30", "seed=0,1", "hydra/launcher=slurm"]
    with started(project, tmp_path, *grid) as process:
        unfinished = tmp_path / "runs" / ".unfinished"
        wait_until(lambda: any(unfinished.glob("*/progress.json")), process=process)
        process.kill()
        process.communicate()
    assert process.returncode == fault.code
    assert running()
    again = sweep_here(project, tmp_path, *grid)
    assert again.returncode == 0, again.stderr
    runs = runs_of(tmp_path)
    assert list(runs["status"]) == ["FINISHED"] * 2
    assert set(runs["tags.run_key"]) == keys_in(tmp_path)
    assert (runs.filter(like="tags.mlflow.launch.") == "trained").sum().sum() == 2


@pytest.mark.release
def test_a_run_whose_job_is_queued_again_has_the_same_bits(project, tmp_path):
    epochs, own, alone = "training.epochs=30", tmp_path / "own", tmp_path / "alone"
    own.mkdir()
    alone.mkdir()
    with started(project, own, epochs, "seed=0", "hydra/launcher=slurm") as process:
        wait_until(lambda: are_done(own, 3), process=process)
        (job,) = running()
        subprocess.run(["scancel", "--signal=USR2", job], check=True)
        wait_until(lambda: let_start(job) or process.poll() is not None)
        said = process.communicate()
    assert process.returncode == 0, said
    assert (own / "runs" / "journal.jsonl").read_text().count('"begun"') == 2
    assert list(runs_of(own)["status"]) == ["FINISHED"]
    assert sweep_here(project, alone, epochs, "seed=0").returncode == 0
    assert digests(own) == digests(alone)
