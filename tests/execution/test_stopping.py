"""Seeds that a study's rule adds, whoever kills it on the way."""

import json
import shutil
import sys
from dataclasses import replace

import pytest

from sidebyside import UserError, compose, paths
from sidebyside.config.schema import Study
from sidebyside.execution.stopping import check_rule, next_stage
from sidebyside.storage.results import StudyRun
from support.processes import read_until, run_here, start
from support.projects import TINY, copy_project

GRID = ("study=factorial", "model.dropout=true", "optimizer=adam", "data_format=channels_last")
DECIDED = ("study.until=decided", "study.max_seeds=5", "study.margin=0.001")


def command(project, *arguments, sizes="3,5"):
    script = [sys.executable, str(project / "pipelines" / "train.py"), "-m"]
    return [*script, *TINY, *GRID, f"model.kernel_size={sizes}", *arguments]


@pytest.fixture(scope="module")
def project(tmp_path_factory, prepared):
    """A project of its own: studies leave results and reports in it."""
    project = copy_project(tmp_path_factory.mktemp("growing"))
    shutil.copytree(prepared, project / "data")
    return project


def comparison(project, home):
    """Compare what the last study left, and return comparison.json."""
    compared = [sys.executable, str(project / "pipelines" / "compare.py"), "study=factorial"]
    done = run_here(compared, project, home)
    assert done.returncode == 0, done.stderr
    return json.loads((project / "reports/mnist5k/factorial/comparison.json").read_text())


def results(project):
    """Return the runs that the last study left for compare, in its order."""
    return json.loads((project / "results/mnist5k/factorial/train/study.json").read_text())["runs"]


def trained(home):
    return len(list((home / "runs").glob("*/run.json")))


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"until": "narrow"}, "needs a width: set study.halfwidth"),
        ({"until": "narrow", "halfwidth": 0.1, "max_seeds": 4}, "first stage takes 5 seeds"),
        ({"until": "decided", "max_seeds": 7}, "looks at 3, 5, 8, 13, 20 seeds"),
        ({"until": "decided", "baseline": "k=7"}, "study.baseline names k=7, which is no variant"),
        ({"until": "decided", "question": ["k=3", "k=9"]}, "study.question names k=9"),
        ({"until": "decided", "question": "size"}, "choose variants, factors, or two variants"),
        ({"until": "decided", "question": ["k=3"]}, "choose variants, factors, or two variants"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused(rule, words):
    with pytest.raises(UserError, match=words):
        check_rule(Study(name="s", **rule), {"k=3": {"k": 3}, "k=5": {"k": 5}})


def test_factors_are_asked_about_where_there_are_several():
    rule = Study(name="s", until="decided", question="factors")
    two, three = ({f"k={k}": {"k": k, "m": 1} for k in range(count)} for count in (2, 3))
    check_rule(rule, two)
    with pytest.raises(UserError, match="where k alone varies"):
        check_rule(rule, three)


def test_averages_that_no_seed_would_tell_are_not_asked_for():
    rule = Study(name="s", until="decided", question="factors")
    grid = {f"{k}{m}": {"k": k, "m": m, "same": 1} for k in "abc" for m in "xy"}
    check_rule(rule, grid)
    lacking = {name: levels for name, levels in grid.items() if name != "cy"}
    with pytest.raises(UserError, match="never decided for k, m, as this study lacks"):
        check_rule(rule, lacking)
    check_rule(replace(rule, expected_equal=["k", "m"]), lacking)
    check_rule(replace(rule, question="variants"), lacking)
    half = {f"{a}{b}": {"a": a, "b": b, "c": a ^ b} for a in (0, 1) for b in (0, 1)}
    with pytest.raises(UserError, match="never decided for a, b, c"):  # each an interaction too
        check_rule(rule, half)


@pytest.mark.slow
def test_a_run_that_is_damaged_at_a_look_is_named(project, tmp_path, monkeypatch):
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(project))
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(tmp_path))
    (folder := paths.run("ab" * 32)).mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    run = StudyRun("ab" * 32, "k=3", {"k": 3}, 0)
    with pytest.raises(UserError, match=r"abababababab \(k=3,seed=0\) is damaged: .* Delete"):
        next_stage(compose("study=factorial", *DECIDED), [run])


@pytest.mark.slow
@pytest.mark.faults(
    fault="SIGKILL of a growing study at a look",
    lost="nothing finished",
    repeated="epochs after the last checkpoint",
    code=-9,
    says="",
)
def test_a_study_that_is_killed_at_a_look_ends_as_one_that_is_not(project, tmp_path, fault):
    homes = [tmp_path / name for name in ("undisturbed", "killed")]
    for home in homes:
        home.mkdir()
    one, two = (
        command(project, *DECIDED, f"hydra.launcher.workers={workers}") for workers in (1, 2)
    )
    undisturbed = run_here(one, project, homes[0])
    assert undisturbed.returncode == 0, undisturbed.stderr
    assert "Look 1 (3 seeds): 0 of 1 decided; 4 more runs of 2 variants." in undisturbed.stderr
    assert "2 variants, seeds until decided" in undisturbed.stderr
    assert "Look 2 (5 seeds): " in undisturbed.stderr
    first = comparison(project, homes[0])

    shutil.rmtree(project / "results")
    with start(two, project, homes[1]) as process:
        read_until(process.stderr, "Look 1 (3 seeds)")
        process.kill()
    assert process.returncode == fault.code
    assert trained(homes[1]) >= 6
    again = run_here(two, project, homes[1])
    assert again.returncode == 0, again.stderr
    assert [trained(home) for home in homes] == [10, 10]

    shutil.rmtree(project / "reports")
    assert comparison(project, homes[1]) == first
    assert first["stopping"]["max_seeds"] == 5
    assert first["statements"][0].startswith("Not decided after 5 seeds: ")


@pytest.mark.slow
def test_no_worker_waits_for_a_look_that_is_sure_to_ask_for_more(project, tmp_path):
    baseline = f"kernel_size=3,{','.join(GRID[1:]).removeprefix('model.')}"
    rule = (*DECIDED, f"study.baseline='{baseline}'", "hydra.launcher.workers=2")
    for home in (tmp_path / name for name in "abc"):  # its last two runs may end at one moment
        home.mkdir()
        done = run_here(command(project, *rule, sizes="3,5,1"), project, home)
        assert done.returncode == 0, done.stderr
        lines = (home / "runs" / "journal.jsonl").read_text().split("\n")
        entries = [json.loads(line) for line in lines if line]
        events = [entry["event"] for entry in entries]
        look = next(n for n, entry in enumerate(entries) if "study=factorial until" in entry["by"])
        if events[:look].count("begun") > 9:
            break
    assert events[:look].count("begun") > 9  # the runs of the first look
    assert events.count("finished") == trained(home)
    levels = [run["factors"]["kernel_size"] for run in results(project)]
    assert levels == sorted(levels, key=[3, 5, 1].index)


@pytest.mark.slow
def test_seeds_come_from_the_rule_and_from_nowhere_else(project, tmp_path):
    refused = run_here(command(project, *DECIDED, "seed=3,4"), project, tmp_path)
    assert refused.returncode == 2
    assert "seed=3,4 won't do with study.until" in refused.stderr
    assert not (tmp_path / "runs").exists() or trained(tmp_path) == 0
    narrow = ("study.until=narrow", "study.halfwidth=0.001", "study.max_seeds=6")
    done = run_here(command(project, *narrow, sizes="3"), project, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "cut short at study.max_seeds=6; 1 more runs of 1 variants" in done.stderr
    assert trained(tmp_path) == 6
    decided = run_here(command(project, *DECIDED), project, tmp_path)
    assert decided.returncode == 0, decided.stderr
    assert comparison(project, tmp_path)["statements"][0].startswith(
        "The rule for adding seeds was changed after results were known: it was until intervals"
    )


@pytest.mark.slow
def test_independent_seeds_are_of_each_variant_its_own(project, tmp_path):
    done = run_here(
        command(project, "study.seeds=independent", "seed=0,1", sizes="3,5"), project, tmp_path
    )
    assert done.returncode == 0, done.stderr
    cards = [json.loads(path.read_text()) for path in (tmp_path / "runs").glob("*/run.json")]
    seeds = {card["identity"]["recipe"]["seed"] for card in cards}
    assert len(seeds) == 4
    found = comparison(project, tmp_path)
    assert found["settings"]["seeds"] == "0, 1, independent: each variant's own"
    (pair,) = found["pairs"]
    assert (pair["n"], pair["seeds"]) == (2, "independent")
    assert "2 independent seeds" in pair["statement"]
    told = (project / "reports/mnist5k/factorial/comparison.md").read_text()
    assert "runs of the same number paired, each with a seed of its own" in told
    assert "the same seeds paired" not in told
