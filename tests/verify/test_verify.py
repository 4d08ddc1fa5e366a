"""Stored runs against themselves, trained again."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from conftest import SOURCE, TINY, copy_project, environment, run
from sidebyside.config.compose import compose_config
from sidebyside.config.validate import check_dataset
from sidebyside.data.arrays import file_digest
from sidebyside.files import read_json, write_json
from sidebyside.report.gathering import gather
from sidebyside.storage import journal
from sidebyside.storage.evidence import read_evidence, write_evidence
from sidebyside.storage.keys import run_key
from sidebyside.verify.test_set import looks

NETWORK = ("model.kernel_size=3", "model.dropout=true", "optimizer=adam")


@pytest.fixture(scope="module")
def studied(project, tmp_path_factory):
    """A workspace that is its own home, with a study of two variants and two seeds."""
    root = workspace(project, tmp_path_factory.mktemp("verified"))
    layouts = "data_format=channels_last,channels_first"
    train(root, "-m", "study=factorial", layouts, "seed=0,1", "training.epochs=3")
    return root


@pytest.fixture(scope="module")
def planted(project, tmp_path_factory):
    """A study of two variants, one of which can't learn; one of its runs was trained before."""
    root = workspace(project, tmp_path_factory.mktemp("planted"))
    train(root, "optimizer.learning_rate=0.003")  # a lone run, tested when it ends
    grid = ("data_format=channels_last", "seed=0,1,2", "optimizer.learning_rate=0.003,1.0e-09")
    train(root, "-m", "study=factorial", *grid)
    return root


def workspace(project, folder):
    """Return a copy of the project that is its own home."""
    root = copy_project(folder)
    os.symlink(project / "data", root / "data")
    return root


def train(root, *arguments):
    """Run the train script; the first argument may be -m, the others come after the network."""
    script = [str(root / "pipelines" / "train.py"), *arguments[:1], *TINY, *NETWORK]
    command = [sys.executable, *script, *arguments[1:]]
    subprocess.run(command, env=environment(root, root), cwd=root, check=True, timeout=300)


def verified(root, *arguments, code=0):
    """Return the outcome as JSON."""
    return json.loads(verify(root, *arguments, "--json", code=code))


def verify(root, *arguments, code=0):
    done = run([sys.executable, "-m", "sidebyside.cli.main", "verify", *arguments], root, root)
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done.stdout if code != 2 else done.stderr


def folders(root):
    return sorted(
        path.parent for path in (root / "results/mnist5k/factorial/train").glob("*/run.json")
    )


def test_a_study_made_minutes_ago_holds(studied):
    outcome = verified(studied, "--all")
    verdicts = outcome["verdicts"]
    assert outcome["passed"]
    assert outcome["summary"] == "4 of 4 runs have the same bits."
    first, order = outcome["test_set"]["sentences"]
    assert "The test images of mnist5k were first read by evaluate of run" in first
    assert order == "No run of the study was begun after a look at the test set."
    assert {verdict["key"] for verdict in verdicts} == {path.name for path in folders(studied)}
    assert all(verdict["same_bits"] and verdict["same_predictions"] for verdict in verdicts)
    assert all(verdict["changed"] == [] for verdict in verdicts)
    assert all(verdict["churn"] > 0 for verdict in verdicts)
    looked = [entry.keys[0] for entry in entries(studied) if entry.by == "verify"]
    assert sorted(looked) == [path.name for path in folders(studied)]


def test_a_tampered_weight_file_names_its_run(studied):
    (folder, other, *_) = folders(studied)
    weights = folder / "model.weights.h5"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    said = verify(studied, "--runs", folder.name[:12], other.name[:12], code=1)
    weights.write_bytes(whole)
    assert f"Run {folder.name[:12]} is damaged" in said
    assert "model.weights.h5" in said
    assert f"Run {other.name[:12]}" not in said


def test_bits_that_no_training_gives_name_their_first_epoch(studied):
    folder = folders(studied)[0]
    before = {name: (folder / name).read_bytes() for name in ("digests.json", "run.json")}
    digests = read_json(folder / "digests.json")
    write_json(folder / "digests.json", [digests[0], "0" * 64, digests[2]])
    card = read_json(folder / "run.json")
    card["files"]["digests.json"] = file_digest(folder / "digests.json")
    write_json(folder / "run.json", card)
    said = verify(studied, "--runs", folder.name, code=1)
    for name, content in before.items():
        (folder / name).write_bytes(content)
    assert f"Run {folder.name[:12]} differs from epoch 2 on" in said
    assert "tampered" in said


def test_another_number_of_threads_is_explained(studied):
    folder = folders(studied)[0]
    outcome = verified(studied, "--runs", folder.name, "--threads", "3", code=1)
    (verdict,) = outcome["verdicts"]
    assert verdict["first_epoch"] == 1
    assert "environment.threads was 1, now 3" in verdict["changed"]
    verify(studied, "--runs", folder.name, "--threads", "3", "--rung", "predictions")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--runs", "0123456789"], "0 runs of study=factorial"),
        (["--count", "0"], "--count 0 won't do"),
        (["--study", "published"], "holds no results of study=published"),
        (["--rung", "claims", "--all"], "--all says nothing to --rung claims"),
        (["--rung", "published"], "holds no results of study=published on dataset=mnist"),
    ],
)
def test_what_cannot_be_verified_is_named(studied, arguments, words):
    assert words in verify(studied, *arguments, code=2)


def entries(root):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIDEBYSIDE_HOME", str(root))
        return journal.entries()


def results_of(root):
    """Return the content of all results by path."""
    return {path: path.read_bytes() for path in (root / "results").rglob("*") if path.is_file()}


def test_the_journal_has_every_training_and_look_in_order(studied):
    keys = [path.name for path in folders(studied)]
    found = entries(studied)
    assert found[0].event == "launched"
    assert sorted(found[0].keys) == keys
    assert {entry.dataset for entry in found} == {"mnist5k"}
    for key in keys:
        own = [entry for entry in found if entry.keys == [key]]
        assert [entry.event for entry in own][:3] == ["begun", "finished", "look"]
        assert [entry.by for entry in own][:3] == ["train", "train", "evaluate"]
        # Trained again by the tests before this one: no training of the study, but a look.
        assert {(entry.event, entry.by) for entry in own[3:]} <= {("look", "verify")}


def test_a_planted_difference_is_claimed_and_holds(planted):
    before = results_of(planted)
    first = verified(planted, "--rung", "claims")
    assert [one["verdict"] for one in first["verdicts"]] == ["holds", "holds"]
    effect, pair = first["verdicts"]
    assert effect["claim"]["subject"]["factor"] == "learning_rate"
    assert min(effect["claim"]["difference"], effect["difference"]) > 20
    assert pair["claim"]["kind"] == "pair"
    assert (effect["n"], pair["n"]) == (3, 3)
    fresh = [entry.keys for entry in entries(planted) if entry.event == "launched"][-1]
    assert len(fresh) == 6
    assert not {path.name for path in folders(planted)}.intersection(fresh)
    assert results_of(planted) == before
    known = len(entries(planted))
    assert verified(planted, "--rung", "claims") == first
    assert {entry.event for entry in entries(planted)[known:]} == {"look"}


def test_runs_begun_after_a_look_are_told(planted):
    study = [path.name for path in folders(planted)]
    found = looks("mnist5k", study, None, entries(planted))
    assert (found.after_own, found.runs, found.unknown) == (5, 6, 0)


def test_a_small_number_of_a_recipe_is_kept_as_it_was(planted):
    cards = [read_json(path / "run.json") for path in folders(planted)]
    assert sorted({card["identity"]["recipe"]["optimizer"]["learning_rate"] for card in cards}) == [
        1e-09,
        0.003,
    ]
    assert all(run_key(card["identity"]) == card["key"] for card in cards)
    study = read_json(planted / "results" / "mnist5k" / "factorial" / "train" / "study.json")
    assert {run["factors"]["learning_rate"] for run in study["runs"]} == {1e-09, 0.003}


def test_a_claim_that_was_forged_fails(planted, monkeypatch):
    """The study's committed evidence has the predictions of the two variants exchanged."""
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(planted))
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(planted))
    evidence = gather(check_dataset(compose_config([])), "factorial", allow_partial=False)
    half = len(evidence.runs) // 2
    exchanged = [*evidence.runs[half:], *evidence.runs[:half]]
    runs = [
        replace(run, predicted=other.predicted)
        for run, other in zip(evidence.runs, exchanged, strict=True)
    ]
    report = planted / "reports" / "mnist5k" / "factorial"
    report.mkdir(parents=True)
    write_evidence(report / "evidence.npz", replace(evidence, runs=runs))
    results = planted / "results"
    results.rename(planted / "aside")
    outcome = verified(planted, "--rung", "claims", code=1)
    assert [one["verdict"] for one in outcome["verdicts"]] == ["fails", "fails"]
    assert outcome["summary"] == "Of 2 claims 0 hold, 2 fail."
    (planted / "aside").rename(results)


def test_published_figures_have_their_verdicts_from_committed_evidence(project, tmp_path):
    root = copy_project(tmp_path / "rebuilt")
    for study in ("published", "published_clean", "published_split20"):
        source = SOURCE / "reports" / "mnist" / study
        if source.is_dir():
            shutil.copytree(source, root / "reports" / "mnist" / study)
    outcome = verified(root, "--rung", "published", code=1)
    verdicts = {one["preset"]: one["verdict"] for one in outcome["verdicts"]}
    assert len(verdicts) == 10
    assert verdicts["adadelta_3x3"] == "published is worse"
    assert verdicts["simple_cnn_5x5"] == "reproduced"
    # One reading is nearest, and has the verdict on the page.
    assert (verdicts["adam_5x5_single_conv"], verdicts["adam_5x5_no_dropout"]) == (
        "reproduced",
        None,
    )
    evidence = root / "reports" / "mnist" / "published" / "evidence.npz"
    found = read_evidence(evidence)
    fitting = [run for run in found.runs if run.factors["preset"] != "adadelta_3x3"]
    write_evidence(evidence, replace(found, runs=fitting, ensembles=[]))
    check = (
        "import sys; from sidebyside.cli.main import main; "
        "main(['verify', '--rung', 'published']); "
        "sys.exit('tensorflow' in sys.modules)"
    )
    said = subprocess.check_output(
        [sys.executable, "-c", check], env=environment(root, root), text=True
    )
    assert "another reading" in " ".join(said.replace("│", " ").split())
    assert "45 of the study's 45 runs aren't in this run store's journal" in said
