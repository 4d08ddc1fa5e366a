"""A study under cross-validation, from its runs to its report."""

import hashlib
import json
import os
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from sidebyside.files import read_json
from sidebyside.storage.evidence_files import read_evidence, write_evidence
from support.processes import run_here as run
from support.projects import copy_project

pytestmark = pytest.mark.slow  # a study is trained

SEEDS = 5
BLOCKS = "model.blocks=[{type:flatten},{type:dense,units:8},{type:dropout,rate:0.2}]"
TRAINED = ("study=crossvalidation", "dataset=digits", BLOCKS, "optimizer=adam")
QUICK = ("training.epochs=2", "optimizer.learning_rate=0.01")


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """A workspace that is its own home, with a study of two variants and its report."""
    root = copy_project(tmp_path_factory.mktemp("folded"))
    done = train(root)
    assert done.returncode == 0, done.stderr
    compare(root)
    return root


def train(root, *arguments):
    script = [sys.executable, str(root / "pipelines" / "train.py"), "-m", *TRAINED, *QUICK]
    return run([*script, f"training.seeds={SEEDS}", *arguments], root, root)


def compare(root, *arguments):
    script = [sys.executable, str(root / "pipelines" / "compare.py")]
    done = run([*script, "study=crossvalidation", "dataset=digits", *arguments], root, root)
    assert done.returncode == 0, done.stderr


def sidebyside(root, *arguments, code=0):
    done = run([sys.executable, "-m", "sidebyside.cli.main", *arguments], root, root)
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done.stdout if code != 2 else done.stderr


def runs_of(root):
    """Return what the study has of its runs: variant, seed and key."""
    return read_json(root / "results/digits/crossvalidation/train/study.json")["runs"]


def report(root):
    folder = root / "reports/digits/crossvalidation"
    return json.loads((folder / "comparison.json").read_text()), folder


def classes(root):
    return np.load(root / "data/processed/digits/channels_last/train_classes.npy")


def test_every_image_tests_a_variant_once_and_trains_no_run_that_it_tests(studied):
    evidence = read_evidence(report(studied)[1] / "evidence.npz")
    target, divisions = classes(studied), {}
    np.testing.assert_array_equal(evidence.target, target)
    for variant in dict.fromkeys(own.variant for own in evidence.runs):
        runs = evidence.of_variant(variant)
        assert (np.sum([own.tested for own in runs], axis=0) == 1).all()
        for own in runs:
            trained = np.flatnonzero(~own.tested).astype("<i4")
            assert own.identity["division"] == hashlib.sha256(trained.tobytes()).hexdigest()
            divisions.setdefault(own.seed, set()).add(own.identity["division"])
    assert [len(own) for own in divisions.values()] == [1] * SEEDS  # the same for both variants
    assert len(set.union(*divisions.values())) == SEEDS


def test_the_report_is_the_corrected_test_of_what_the_runs_predicted(studied):
    content, folder = report(studied)
    evidence = read_evidence(folder / "evidence.npz")
    target, errors = classes(studied), {}
    for own in evidence.runs:
        stored = np.load(studied / "runs" / own.key / "evaluation" / "predicted.npy")
        wrong = stored != target[own.tested]
        errors.setdefault(own.variant, []).append(100 * wrong.mean())
    (pair,) = content["pairs"]
    apart = np.subtract(errors[pair["a"]], errors[pair["b"]])
    error = np.sqrt((1 / SEEDS + 1 / 4) * apart.var(ddof=1))
    low, high = stats.t.interval(0.95, SEEDS - 1, apart.mean(), error)
    assert pair["difference"] == pytest.approx(
        {"mean": apart.mean(), "low": low, "high": high}, abs=1e-5
    )
    assert pair["p"] == pytest.approx(
        2 * stats.t.sf(abs(apart.mean()) / error, SEEDS - 1), abs=1e-5
    )
    assert content["crossvalidation"]["folds"] == 5
    assert content["crossvalidation"]["repetitions"] == 1


def test_the_report_says_what_it_is_and_what_it_leaves_out(studied):
    content, folder = report(studied)
    opening, *_, limits, left_out = content["statements"]
    assert opening.startswith("Cross-validation with 5 folds of 1437 training images, 1 repetition")
    assert "corrected resampled t test (Nadeau & Bengio 2003)" in limits
    assert "Bengio & Grandvalet 2004" in limits
    assert left_out.startswith(
        "Left out, as the runs of a variant aren't tested on the same images"
    )
    assert "the same test images" not in opening
    page = (folder / "report.html").read_text()
    assert "1437 images in 5 folds" in page
    assert "these very networks" not in page
    assert "corrected for folds" in (folder / "comparison.md").read_text()


def test_the_report_is_made_again_from_its_evidence(studied):
    _, folder = report(studied)
    names = ["comparison.json", "comparison.md", "runs.csv", "evidence.npz", "report.html"]
    before = {name: (folder / name).read_bytes() for name in names}
    for name in set(names) - {"evidence.npz"}:
        (folder / name).unlink()
    (studied / "results").rename(studied / "elsewhere")
    try:
        compare(studied)
    finally:
        (studied / "elsewhere").rename(studied / "results")
    assert {name: (folder / name).read_bytes() for name in names} == before


def test_the_test_images_are_not_opened(studied):
    lines = (studied / "runs" / "journal.jsonl").read_text().splitlines()
    events = [json.loads(line)["event"] for line in lines if line]
    assert events.count("finished") >= 2 * SEEDS
    assert "look" not in events
    told = sidebyside(
        studied,
        "verify",
        "bits",
        "--study",
        "crossvalidation",
        "--dataset",
        "digits",
        "--count",
        "1",
    )
    assert "The journal knows of no look at the test images of digits." in told


def test_a_study_that_is_stopped_goes_on_to_the_same_bits(studied):
    kept, gone = runs_of(studied)[0]["key"], runs_of(studied)[3]["key"]
    cards = [studied / "runs" / key / "run.json" for key in (kept, gone)]
    before = [read_json(card)["weights_digest"] for card in cards]
    times = cards[0].stat().st_mtime_ns
    shutil.rmtree(cards[1].parent)
    done = train(studied)
    assert done.returncode == 0, done.stderr
    assert [read_json(card)["weights_digest"] for card in cards] == before
    assert cards[0].stat().st_mtime_ns == times


def test_committed_evidence_is_completed_by_a_repetition(studied, tmp_path):
    root = copy_project(tmp_path / "completed")
    os.symlink(studied / "data", root / "data")
    shutil.copytree(studied / "reports", root / "reports")
    done = train(root, "training.complete_evidence=true", f"training.seeds={2 * SEEDS}")
    assert done.returncode == 0, done.stderr
    assert f"{2 * SEEDS} of {4 * SEEDS} runs are in the committed evidence." in done.stderr
    compare(root)
    content, folder = report(root)
    assert content["crossvalidation"]["repetitions"] == 2
    assert [variant["n"] for variant in content["variants"]] == [2 * SEEDS] * 2
    evidence = read_evidence(folder / "evidence.npz")
    for variant in ("dropout=true", "dropout=false"):
        runs = [own for own in evidence.runs if variant in own.variant]
        assert (np.sum([own.tested for own in runs], axis=0) == 2).all()


def test_it_is_judged_by_another_metric(studied, tmp_path):
    root = copy_project(tmp_path / "judged")
    for name in ("data", "results", "runs"):
        os.symlink(studied / name, root / name)
    compare(root, "study.metric=log_loss", "study.margin=0.1")
    content, folder = report(root)
    target, losses = classes(root), {}
    for own in read_evidence(folder / "evidence.npz").runs:
        stored = np.load(root / "runs" / own.key / "evaluation" / "probabilities.npy")
        of_target = stored[np.arange(len(stored)), target[own.tested]].astype(float)
        loss = -np.log(np.clip(of_target, 1e-7, 1)).astype(np.float32)
        losses.setdefault(own.variant, []).append(loss.mean(dtype=float))
        assert "calibration_error" not in own.others
    (pair,) = content["pairs"]
    apart = np.subtract(losses[pair["a"]], losses[pair["b"]])
    error = np.sqrt((1 / SEEDS + 1 / 4) * apart.var(ddof=1))
    low, high = stats.t.interval(0.95, SEEDS - 1, apart.mean(), error)
    assert pair["difference"] == pytest.approx(
        {"mean": apart.mean(), "low": low, "high": high}, abs=1e-6
    )
    page = (folder / "report.html").read_text()
    assert "Runs are judged by the log loss of their folds in nats" in page
    assert "Of the log loss nothing was simulated" in content["statements"][-2]


def test_a_metric_that_folds_do_not_give_is_refused(studied):
    asked = ["study=crossvalidation", "dataset=digits", "study.metric=calibration_error"]
    script = [sys.executable, str(studied / "pipelines" / "compare.py"), *asked, "study.margin=1"]
    done = run(script, studied, studied)
    assert done.returncode == 2
    assert "calibration_error won't do with protocol=kfold5" in done.stderr


@pytest.mark.parametrize("source", ["results", "evidence"])
def test_runs_have_the_same_bits_again(studied, source):
    if source == "evidence":
        (studied / "results").rename(studied / "elsewhere")
    try:
        told = sidebyside(
            studied,
            "verify",
            "predictions",
            "--study",
            "crossvalidation",
            "--dataset",
            "digits",
            "--count",
            "2",
            "--json",
        )
    finally:
        if source == "evidence":
            (studied / "elsewhere").rename(studied / "results")
    verdicts = json.loads(told)["verdicts"]
    assert len(verdicts) == 2
    assert all(own["same_bits"] and own["flips"] == 0 for own in verdicts)
    assert all(own["changed"] == [] and own["churn"] is None for own in verdicts)


def clean_evidence(root):
    """Leave evidence of a study of another protocol, as if it had been trained."""
    evidence = read_evidence(report(root)[1] / "evidence.npz")
    runs = [
        replace(own, identity=own.identity | {"recipe": own.recipe | {"protocol": "clean"}})
        for own in evidence.runs
    ]
    folder = root / "reports/digits/factorial"
    folder.mkdir()
    write_evidence(folder / "evidence.npz", replace(evidence, study="factorial", runs=runs))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["verify", "claims"], "fresh seeds would divide the same images anew"),
        (["compare", "0", "1"], "tested on a fold each"),
        (["compare", "crossvalidation", "factorial"], "don't test on the same images"),
    ],
)
def test_what_folds_can_not_tell_is_refused(studied, arguments, words):
    if arguments[-1] == "1":
        arguments = ["compare", *(runs_of(studied)[number]["key"][:12] for number in (0, 1))]
    if arguments[-1] == "factorial":
        clean_evidence(studied)
    asked = [*arguments, "--study", "crossvalidation", "--dataset", "digits"]
    assert words in sidebyside(studied, *asked, code=2)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["training.seeds=4"], "takes the seeds of whole repetitions, 5 each, and 0, 1, 2, 3"),
        (["+study.until=decided"], "study.until=decided won't do with protocol=kfold5"),
        (["protocol=clean,kfold5"], "can't be held against each other in one study"),
        (
            ["study.metric=calibration_error", "study.margin=1"],
            "study.metric=calibration_error won't do with protocol=kfold5",
        ),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(studied, overrides, words):
    before = len(list((studied / "runs").glob("*/run.json")))
    done = train(studied, *overrides)
    assert done.returncode != 0
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert len(list((studied / "runs").glob("*/run.json"))) == before
