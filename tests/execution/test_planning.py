"""What a launch would do: the runs, and a time that is that of real ones."""

import json
import pty
import re
import subprocess
import sys

import pytest

from sidebyside import UserError, paths
from sidebyside.cli.main import main
from sidebyside.config.compose import compose_grid, compose_launcher
from sidebyside.execution.planned import Planned
from sidebyside.execution.planning.asking import ask
from sidebyside.execution.planning.plans import Plan, PlannedRun, plan_of
from sidebyside.execution.planning.timings import Timings, note_start
from sidebyside.files import write_json
from sidebyside.storage import store
from sidebyside.storage.results import StudyRun
from support.projects import environment
from support.timings import SECONDS, WALL

pytestmark = pytest.mark.slow

FACTORIAL = ("study=factorial", "evaluate=false")
TWO = compose_launcher(["hydra.launcher.workers=2"])
LIMIT = """
from sidebyside.execution.planning.asking import ask
from sidebyside.execution.planning.plans import Plan, PlannedRun
from sidebyside.storage.results import StudyRun
ask(Plan([PlannedRun(StudyRun("aa", "", {}, 0), "to train", 7300)], 1, 0, False), 60)
print("started")
"""


@pytest.fixture
def jobs(home):
    """The runs of mnist5k's factorial, in the grid's order."""
    return Planned().add(compose_grid(FACTORIAL))


def record(jobs):
    """Leave what training these runs would leave, with the times that they took."""
    for number, job in jobs:
        folder = paths.run(job.run.key)
        folder.mkdir(parents=True)
        seconds, steps = SECONDS[number]
        write_json(folder / store.TIMING, {"seconds": seconds, "step_seconds": steps})
        write_json(folder / store.HISTORY, {})
        card = {"key": job.run.key, "identity": job.identity, "parameters": 1_000_000}
        write_json(folder / store.CARD, card | {"weights_digest": job.run.key, "files": {}})


@pytest.mark.parametrize("known", [slice(0, None, 8), slice(3, None, 4), slice(20, 21), slice(0)])
def test_the_time_is_that_of_the_real_factorial(jobs, known):
    note_start(0)
    record(list(enumerate(jobs))[known])
    timings = Timings([job.config for job in jobs])
    runs = [
        PlannedRun(job.run, "to train", timings.training(job.config) + timings.beside(job.config))
        for job in jobs
    ]
    assert Plan(runs, 2, timings.starting(), rough=False).seconds == pytest.approx(WALL, rel=0.3)


@pytest.mark.parametrize(
    ("asked", "guessed"),
    [
        (("study=factorial",), False),  # the other kernel, dropout, optimizer, data format
        (("dataset=mnist", "training.epochs=5"), False),  # images of the same size
        (("dataset=digits",), True),
        (("model=conv_pair,mlp",), True),
        (("training.numerics=native",), True),
        (("training.precision=mixed_bfloat16",), True),
    ],
)
def test_a_time_is_a_guess_where_nothing_of_the_kind_was_trained(jobs, asked, guessed):
    assert plan_of(compose_grid(["evaluate=false", *asked]), TWO).rough
    record(list(enumerate(jobs))[20:21])
    plan = plan_of(compose_grid(["evaluate=false", *asked]), TWO)
    assert plan.rough == guessed
    assert ("(a guess: nothing like it was trained here yet)" in plan.line()) == guessed
    kinds = {own.run.factors.get("model"): own.guessed for own in plan.runs}
    assert kinds.get("mlp", guessed) == guessed
    assert not kinds.get("conv_pair", False)


def test_a_plan_tells_what_is_done_what_goes_on_and_what_is_new(jobs, capsys):
    record(list(enumerate(jobs))[:4])
    store.begin(jobs[4].run.key)
    store.report_progress(jobs[4].run.key, 2)
    main(["plan", *FACTORIAL, "hydra.launcher.workers=2"])
    said = capsys.readouterr()
    title, *_, line = said.out.splitlines()
    assert title.strip() == "study=factorial on dataset=mnist5k"
    assert re.fullmatch(
        r"32 runs: 4 done, 1 to resume, 27 to train; about 0:0\d:\d\d with 2 workers; \d+ MB", line
    )
    main(["plan", *FACTORIAL, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["counts"] == {"done": 4, "to resume": 1, "to train": 27}
    assert told["runs"][4]["epochs"] == [2, 3]
    assert 0 < told["runs"][4]["seconds"] < told["runs"][5]["seconds"] / 2


def test_runs_with_the_same_bits_are_told(jobs):
    record(list(enumerate(jobs))[:2])
    card = paths.run(jobs[1].run.key) / store.CARD
    content = json.loads(card.read_text())
    card.write_text(json.dumps(content | {"weights_digest": jobs[0].run.key}))
    plan = plan_of(compose_grid(FACTORIAL), TWO)
    assert [own.same_as for own in plan.runs[:2]] == [None, None]  # seeds 0 and 1 aren't compared
    seeded = [job for job in jobs if job.run.seed == 0]
    record([(2, seeded[1])])
    card = paths.run(seeded[1].run.key) / store.CARD
    content = json.loads(card.read_text())
    card.write_text(json.dumps(content | {"weights_digest": jobs[0].run.key}))
    plan = plan_of(compose_grid(FACTORIAL), TWO)
    assert plan.runs[2].same_as == jobs[0].run.key[:12]
    assert "1 with the bits of another" in plan.line()


def test_why_names_in_what_the_nearest_stored_run_differs(jobs, capsys):
    record(list(enumerate(jobs))[:4])
    job = jobs[0]
    main(["why", "study=factorial", "evaluate=false"])
    said = capsys.readouterr().out
    assert "4 of 32 runs would not be trained: finished." in said
    main(["why", "--json", "study=factorial", "evaluate=false", "training.epochs=5"])
    first = json.loads(capsys.readouterr().out)[0]
    assert (first["trains"], first["nearest"]) == (True, job.run.key)
    assert first["differences"] == [{"part": "recipe.epochs", "stored": "3", "now": "5"}]
    # Stored by other code: the run of today has another key.
    sources = job.identity["sources"] | {"engine/training/fit.py": "ab" * 32}
    card = paths.run(job.run.key) / store.CARD
    content = json.loads(card.read_text())
    write_json(card, content | {"identity": job.identity | {"sources": sources}})
    old = "ab" * 32
    paths.run(job.run.key).rename(paths.run(old))
    main(["why", old[:8]])
    said = capsys.readouterr().out
    assert f"run {job.run.key[:12]} would be trained: not in the run store." in said
    assert "source engine/training/fit.py" in said
    with pytest.raises(SystemExit):
        main(["why", "123456"])
    assert "No run begins with 123456" in capsys.readouterr().err


def test_without_data_all_is_new_and_nothing_is_downloaded(project, home, capsys):
    main(["plan", "study=factorial", "dataset=mnist"])
    said = capsys.readouterr().out
    assert "32 runs: 32 to train; about" in said
    assert "The data of mnist aren't prepared yet" in said
    assert not (project / "data" / "processed" / "mnist").exists()


def test_arrays_of_another_config_stay_as_they_are(project, home, capsys):
    about = project / "data" / "processed" / "mnist5k" / "channels_last" / "arrays.json"
    before = about.read_bytes()
    other = ["study=factorial", "dataset.normalisation=standardise"]
    main(["plan", *other])
    assert "The data of mnist5k aren't prepared yet" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["why", *other])
    assert "aren't prepared as asked for, and runs are known by them" in capsys.readouterr().err
    assert about.read_bytes() == before


def test_a_home_that_is_not_there_yet_has_room(project, home, capsys, monkeypatch):
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(home / "of" / "tomorrow"))
    main(["plan", *FACTORIAL])
    assert "32 runs: 32 to train" in capsys.readouterr().out


def test_a_long_launch_asks_on_a_terminal_alone(project, home):
    long = Plan([PlannedRun(StudyRun("aa", "", {}, 0), "to train", 7300)], 1, 0, rough=False)
    ask(long, None)
    ask(long, 60)  # pytest has no terminal
    assert asked(project, home, b"y\n").endswith("started")
    assert "Nothing was started" in asked(project, home, b"\n")
    with pytest.raises(UserError, match="ask_above=-1 won't do"):
        compose_grid(["ask_above=-1"])


def test_whoever_has_closed_the_input_is_not_asked(tmp_path):
    command = ["sh", "-c", 'exec "$0" -c "$1" <&-', sys.executable, LIMIT]
    named = environment(tmp_path, tmp_path)
    done = subprocess.run(command, env=named, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("started\n", "")


def asked(project, home, answer):
    """Return what is said on a terminal where somebody answers so."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", LIMIT]
    with (
        subprocess.Popen(
            command,
            stdin=theirs,
            stderr=theirs,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(project, home),
        ) as process,
        open(ours, "r+b", buffering=0) as terminal,
    ):
        terminal.write(answer)
        said, _ = process.communicate(timeout=120)
        return terminal.read(4000).decode().strip() + said.strip()
