"""Stored runs against themselves, trained again."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

import pytest

from sidebyside.config.compose import compose_config
from sidebyside.config.schema import Study
from sidebyside.config.validate import check_dataset
from sidebyside.files import file_digest, read_json, write_json
from sidebyside.report.gathering import gather
from sidebyside.storage import journal
from sidebyside.storage.evidence_files import read_evidence, write_evidence
from sidebyside.storage.keys import run_key
from sidebyside.verify.bits import Verdict
from sidebyside.verify.committed import comes_out_again
from sidebyside.verify.outcome import MEANING
from sidebyside.verify.rebuilt import wrong_digests
from sidebyside.verify.test_set import looks
from support.cards import CARD
from support.processes import run_here
from support.projects import SOURCE, TINY, copy_project, environment

pytestmark = pytest.mark.slow  # each starts commands

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
    assert run_here(command, root, root).returncode == 0


def sidebyside(root, *arguments):
    """Run a command of ``sidebyside verify``."""
    return run_here([sys.executable, "-m", "sidebyside.cli.main", "verify", *arguments], root, root)


def verified(root, *arguments, code=0):
    """Return the outcome as JSON."""
    return json.loads(verify(root, *arguments, "--json", code=code))


def verify(root, *arguments, code=0):
    """Return what a command of ``sidebyside verify`` prints, on stderr if it refuses."""
    done = sidebyside(root, *arguments)
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done.stdout if code != 2 else done.stderr


def folders(root):
    return sorted(
        path.parent for path in (root / "results/mnist5k/factorial/train").glob("*/run.json")
    )


def test_a_study_made_minutes_ago_holds(studied):
    done = sidebyside(studied, "bits", "--all", "--json")
    assert done.stderr.startswith("4 runs to train again\n")
    assert "4/4 runs trained again, 12/12 epochs" in done.stderr
    outcome = json.loads(done.stdout)
    verdicts = outcome["verdicts"]
    assert outcome["passed"]
    assert outcome["summary"].startswith("4 of 4 runs have the same bits, trained again on ")
    first, order = outcome["test_set"]["sentences"]
    assert "The test images of mnist5k were first read by evaluate of run" in first
    assert order == "No run of the study was begun after a look at the test set."
    assert {verdict["key"] for verdict in verdicts} == {path.name for path in folders(studied)}
    assert all(verdict["same_bits"] and verdict["same_predictions"] for verdict in verdicts)
    assert all(verdict["changed"] == [] for verdict in verdicts)
    assert all(verdict["churn"] > 0 for verdict in verdicts)
    looked = [entry.keys[0] for entry in entries(studied) if entry.by == "verify"]
    assert sorted(looked) == [path.name for path in folders(studied)]


@contextmanager
def flipped(path):
    """Change one bit of a file for a while."""
    whole = path.read_bytes()
    path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    try:
        yield
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize(
    ("place", "words"),
    [("results", "among the results"), ("runs", "in the run store")],
)
@pytest.mark.parametrize("file", ["model.weights.h5", "predicted.npy"])
def test_a_tampered_file_names_its_run_and_its_copy(studied, place, words, file):
    (key, other, *_) = (folder.name for folder in folders(studied))
    (path,) = (path for path in studied.glob(f"{place}/**/{key}/**/{file}"))
    with flipped(path):
        said = verify(studied, "bits", "--runs", key[:12], other[:12], code=1)
    assert f"Run {key[:12]} is damaged: {words}, " in said
    assert str(path.parent) in said
    assert f"Run {other[:12]}" not in said


def test_bits_that_no_training_gives_name_their_first_epoch(studied):
    folder = folders(studied)[0]
    before = {name: (folder / name).read_bytes() for name in ("digests.json", "run.json")}
    digests = read_json(folder / "digests.json")
    write_json(folder / "digests.json", [digests[0], "0" * 64, digests[2]])
    card = read_json(folder / "run.json")
    card["files"]["digests.json"] = file_digest(folder / "digests.json")
    write_json(folder / "run.json", card)
    said = verify(studied, "bits", "--runs", folder.name, code=1)
    for name, content in before.items():
        (folder / name).write_bytes(content)
    assert f"Run {folder.name[:12]} differs from epoch 2 on" in said
    assert "tampered" in said


def test_weights_that_a_card_was_made_to_vouch_for_are_not_the_same(studied):
    import h5py

    key = folders(studied)[0].name
    folder = studied / "runs" / key
    before = {name: (folder / name).read_bytes() for name in ("model.weights.h5", "run.json")}
    with h5py.File(folder / "model.weights.h5", "r+") as stored:
        stored["layers/conv2d/vars/0"][0, 0, 0, 0] += 1
    card = read_json(folder / "run.json")
    card["files"]["model.weights.h5"] = file_digest(folder / "model.weights.h5")
    write_json(folder / "run.json", card)
    said = verify(studied, "bits", "--runs", key, code=1)
    for name, content in before.items():
        (folder / name).write_bytes(content)
    assert f"Run {key[:12]} differs from epoch 3 on" in said


@pytest.fixture(scope="module")
def committed(studied, tmp_path_factory):
    """The same workspace with a report and its evidence, without results and runs."""
    root = tmp_path_factory.mktemp("committed") / "elsewhere"
    shutil.copytree(studied, root, symlinks=True)
    compare = [sys.executable, str(root / "pipelines" / "compare.py"), "study=factorial"]
    assert run_here(compare, root, root).returncode == 0
    for folder in ("results", "runs"):
        shutil.rmtree(root / folder)
    return root


def test_committed_reports_are_made_anew_and_a_run_is_trained_again(committed):
    outcome = verified(committed, "committed", "--count", "1")
    (report,) = outcome["verdicts"]
    assert outcome["passed"]
    assert (report["dataset"], report["study"], report["wrong"]) == ("mnist5k", "factorial", [])
    assert report["files"] == len([p for p in report_of(committed).rglob("*") if p.is_file()]) - 1
    assert report["retrained"]["same_bits"]
    assert "1 of 1 reports are what their evidence makes" in outcome["summary"]


def test_a_number_that_evidence_does_not_make_is_named(committed):
    path = report_of(committed) / "comparison.json"
    whole = path.read_text()
    error = read_json(path)["variants"][0]["test_error"]["mean"]
    path.write_text(whole.replace(f'"mean": {error}', '"mean": 0.01', 1))
    said = verify(committed, "committed", "--count", "0", code=1)
    path.write_text(whole)
    assert f"comparison.json: variants.0.test_error.mean was 0.01, now {error}" in said
    assert "0 of 1 reports are what their evidence makes" in said


@pytest.mark.parametrize(
    ("place", "words"), [(11, "isn't written as its content is"), (-2000, "can't be read")]
)
def test_one_byte_of_evidence_is_enough_to_be_named(committed, place, words):
    path = report_of(committed) / "evidence.npz"
    whole = path.read_bytes()
    forged = bytearray(whole)
    forged[place] ^= 1
    path.write_bytes(forged)
    said = verify(committed, "committed", code=1)
    path.write_bytes(whole)
    assert "mnist5k/factorial: " in said
    assert f"evidence.npz {words}" in said


def test_digests_stand_for_what_they_are_of(committed_factorial):
    dataset = check_dataset(compose_config(["dataset=mnist"]))
    assert wrong_digests(committed_factorial, dataset) == []
    (first, second, *rest) = committed_factorial.runs
    other = first.identity | {"arrays": "0" * 64}
    forged = [replace(first, identity=other), replace(second, digests=["0" * 64]), *rest]
    target = committed_factorial.target[::-1]
    wrong = wrong_digests(replace(committed_factorial, runs=forged, target=target), dataset)
    assert [first.key[:12] in wrong[0], second.key[:12] in wrong[1]] == [True, True]
    assert wrong[2] == "the classes of its images aren't those of dataset=mnist"


@pytest.mark.parametrize(
    ("flips", "changed", "holds"),
    [
        (3, ["environment.numerics was avx512, now avx2"], True),
        (9, ["environment.numerics was avx512, now avx2"], False),
        (3, ["sources.engine/training/fit.py was 1, now 2"], False),
    ],
)
def test_other_bits_are_allowed_where_the_environment_is_another(flips, changed, holds):
    verdict = Verdict("own,seed=0", "0" * 64, None, 1, flips, 5, changed)
    assert comes_out_again(verdict) is holds


def test_predictions_that_the_weights_do_not_give_are_named(committed):
    report = report_of(committed)
    shutil.copytree(report, kept := committed / "kept")
    evidence = read_evidence(report / "evidence.npz")
    forged = [replace(run, predicted=evidence.target.copy()) for run in evidence.runs]
    write_evidence(report / "evidence.npz", replace(evidence, runs=forged))
    page = [sys.executable, "-m", "sidebyside.cli.main", "report", "study=factorial", "--again"]
    assert run_here(page, committed, committed).returncode == 0
    said = verify(committed, "committed", "--count", "1", code=1)
    shutil.rmtree(report)
    kept.rename(report)
    assert "1 of 1 reports are what their evidence makes" in said
    assert "Of 1 runs trained again 0 have the same bits" in said
    assert " has the same weights, and of its predictions " in said


def test_times_that_are_damaged_are_named(committed):
    path = report_of(committed) / "costs.json"
    whole = path.read_text()
    path.write_text(f"<<<<<<< HEAD\n{whole}")
    said = verify(committed, "committed", "--count", "0", code=1)
    path.write_text(whole)
    assert f"{path} is damaged" in said
    assert "restore it with git, or delete it" in said


def report_of(root):
    return root / "reports" / "mnist5k" / "factorial"


def test_committed_evidence_is_enough(committed, monkeypatch):
    root = committed
    assert verified(root, "bits", "--count", "2")["passed"]
    path = report_of(root) / "evidence.npz"
    whole = path.read_bytes()
    evidence = read_evidence(path)
    (other, *rest) = evidence.runs
    forged = replace(other, digests=[other.digests[0], "0" * 64, other.digests[2]])
    write_evidence(path, replace(evidence, runs=[forged, *rest]))
    said = verify(root, "bits", "--runs", other.key, code=1)
    assert f"Run {other.key[:12]} differs from epoch 2 on" in said
    monkeypatch.setenv("SIDEBYSIDE_GPUS", "-1")  # none, also where there is one
    identity = other.identity | {"environment": other.identity["environment"] | {"gpu": CARD}}
    identity["sources"] = dict.fromkeys(identity["sources"], "0" * 64)
    before = replace(other, identity=identity, digests=[], weights_digest="0" * 64)
    write_evidence(path, replace(evidence, runs=[before, *rest]))  # as it was of old
    said = verify(root, "bits", "--runs", other.key, code=1)
    assert f"Run {other.key[:12]} differs at its end. Changed: " in said
    assert f"Changed: {len(identity['sources'])} files of the code that trains; " in said
    assert f"environment.gpu was {json.dumps(CARD)[:57]}..., now null" in said
    path.write_bytes(whole)


def test_bits_are_drawn_from_runs_that_have_a_numeric_class(committed):
    path = report_of(committed) / "evidence.npz"
    whole = path.read_bytes()
    evidence = read_evidence(path)
    (own, *others) = evidence.runs
    old = [
        replace(run, identity=run.identity | {"environment": {"threads": 1}}, digests=["0" * 64])
        for run in others
    ]
    write_evidence(path, replace(evidence, runs=[own, *old]))
    done = sidebyside(committed, "bits", "--count", "2", "--json")
    path.write_bytes(whole)
    assert [run["key"] for run in json.loads(done.stdout)["verdicts"]] == [own.key]
    words = f"{len(old)} of {len(evidence.runs)} runs have the bits of one processor"
    assert words in done.stderr


def test_runs_that_a_study_took_from_evidence_are_held_against_it(committed, tmp_path):
    root = tmp_path / "completed"
    shutil.copytree(committed, root, symlinks=True)
    study = ("-m", "study=factorial", "training.epochs=3", "training.complete_evidence=true")
    train(root, *study, "data_format=channels_last,channels_first", "seed=0,1")
    assert folders(root) == []
    outcome = verified(root, "bits", "--count", "1")
    assert (outcome["passed"], len(outcome["verdicts"])) == (True, 1)
    assert outcome["summary"].startswith("1 of 1 runs have the same bits")
    predict = [sys.executable, "-m", "sidebyside.cli.main", "predict", "--test-index", "0"]
    done = run_here(predict, root, root)
    assert done.returncode == 2
    assert "has no networks here, as all its runs are known from committed evidence" in done.stderr
    train(root, *study, "data_format=channels_last", "seed=1,2")  # one of them is there
    (trained,) = folders(root)
    outcome = verified(root, "predictions", "--all")
    assert outcome["summary"].startswith("2 of 2 runs have the same predictions")
    assert trained.name in {verdict["key"] for verdict in outcome["verdicts"]}
    (root / "results/mnist5k/factorial/train/evidence.npz").unlink()
    said = verify(root, "bits", "--all", code=2)
    assert "isn't in the evidence that the study was to complete: run the study again" in said
    card = root / "results/mnist5k/factorial/train/study.json"
    write_json(card, read_json(card) | {"runs": []})
    assert "has no run that could be trained again" in verify(root, "bits", code=2)


@pytest.mark.parametrize("check", ["bits", "predictions"])
def test_a_run_that_is_not_evaluated_is_not_called_damaged(untested, check):
    said = verify(untested, check, code=2)
    assert "1 of the 1 runs to train again have no predictions to be held against" in said
    assert "python pipelines/evaluate.py study=factorial dataset=mnist5k" in said


@pytest.fixture(scope="module")
def untested(project, tmp_path_factory):
    """A workspace with a study of one run, which was trained alone."""
    root = workspace(project, tmp_path_factory.mktemp("untested"))
    train(root, "-m", "study=factorial", "data_format=channels_last", "seed=0", "evaluate=false")
    return root


def test_another_number_of_threads_is_explained(studied):
    folder = folders(studied)[0]
    outcome = verified(studied, "bits", "--runs", folder.name, "--threads", "3", code=1)
    (verdict,) = outcome["verdicts"]
    assert verdict["first_epoch"] == 1
    assert "environment.threads was 1, now 3" in verdict["changed"]
    verify(studied, "predictions", "--runs", folder.name, "--threads", "3")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["bits", "--runs", "0123456789"], "0 runs of study=factorial"),
        (["bits", "--count", "0"], "'--count': 0 is not in the range x>=1"),
        (["bits", "--all", "--count", "3"], "Only one of --all, --runs and --count"),
        (["predictions", "--study", "published"], "holds no results of study=published"),
        (["claims", "--all"], "No such option '--all'"),
        (["published"], "holds no results of study=published on dataset=mnist"),
    ],
)
def test_what_cannot_be_verified_is_named(studied, arguments, words):
    said = verify(studied, *arguments, code=2)
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert words in said


def test_each_command_says_what_it_shows(studied):
    said = " ".join(verify(studied).split())
    for name, meaning in MEANING.items():
        assert f"{name} {meaning}" in said


def entries(root):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIDEBYSIDE_HOME", str(root))
        return journal.entries()


def results_of(root):
    """Return the content of all results by path."""
    return {path: path.read_bytes() for path in (root / "results").rglob("*") if path.is_file()}


def test_the_journal_has_every_training_and_look_in_order(studied):
    keys = [path.name for path in folders(studied)]
    journaled = entries(studied)
    assert journaled[0].event == "launched"
    assert sorted(journaled[0].keys) == keys
    assert {entry.dataset for entry in journaled} == {"mnist5k"}
    for key in keys:
        own = [entry for entry in journaled if entry.keys == [key]]
        assert [entry.event for entry in own][:3] == ["begun", "finished", "look"]
        assert [entry.by for entry in own][:3] == ["train", "train", "evaluate"]
        # Trained again by the tests before this one: no training of the study, but a look.
        assert {(entry.event, entry.by) for entry in own[3:]} <= {("look", "verify")}


def test_a_planted_difference_is_claimed_and_holds(planted):
    before = results_of(planted)
    first = verified(planted, "claims")
    assert [verdict["verdict"] for verdict in first["verdicts"]] == ["holds", "holds"]
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
    assert verified(planted, "claims") == first
    assert {entry.event for entry in entries(planted)[known:]} == {"look"}


def test_runs_begun_after_a_look_are_told(planted):
    study = [path.name for path in folders(planted)]
    told = looks("mnist5k", study, None, entries(planted))
    assert (told.after_own, told.runs, told.unknown) == (5, 6, 0)


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
    evidence = gather(
        check_dataset(compose_config([])), Study(name="factorial"), allow_partial=False
    )
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
    outcome = verified(planted, "claims", code=1)
    assert [verdict["verdict"] for verdict in outcome["verdicts"]] == ["fails", "fails"]
    assert outcome["summary"] == "Of 2 claims 0 hold, 2 fail."
    (planted / "aside").rename(results)


def test_published_figures_have_their_verdicts_from_committed_evidence(project, tmp_path):
    root = copy_project(tmp_path / "rebuilt")
    for study in ("published", "published_clean", "published_split20"):
        source = SOURCE / "reports" / "mnist" / study
        if source.is_dir():
            shutil.copytree(source, root / "reports" / "mnist" / study)
    outcome = verified(root, "published", code=1)
    verdicts = {reading["preset"]: reading["verdict"] for reading in outcome["verdicts"]}
    assert len(verdicts) == 10
    assert verdicts["adadelta_3x3"] == "published is worse"
    assert verdicts["simple_cnn_5x5"] == "reproduced"
    # One reading is nearest, and has the verdict on the page.
    assert (verdicts["adam_5x5_single_conv"], verdicts["adam_5x5_no_dropout"]) == (
        "reproduced",
        None,
    )
    evidence = root / "reports" / "mnist" / "published" / "evidence.npz"
    whole = read_evidence(evidence)
    fitting = [run for run in whole.runs if run.factors["preset"] != "adadelta_3x3"]
    write_evidence(evidence, replace(whole, runs=fitting, ensembles=[]))
    check = (
        "import sys; from sidebyside.cli.main import main; "
        "main(['verify', 'published']); "
        "sys.exit('tensorflow' in sys.modules)"
    )
    said = subprocess.check_output(
        [sys.executable, "-c", check], env=environment(root, root), text=True
    )
    assert "another reading" in " ".join(said.replace("│", " ").split())
    assert "45 of the study's 45 runs aren't in this run store's journal" in said
