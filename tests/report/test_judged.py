"""Reports of studies that are judged by another metric than the error."""

import json
import re
import shlex
import shutil
import sys
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score

from sidebyside import UserError
from sidebyside.analysis.analyse import analyse
from sidebyside.analysis.metrics.scores import all_values, scores_by_image, value_of_run
from sidebyside.config.datasets import Dataset, File
from sidebyside.config.factors import variant_name
from sidebyside.config.metrics import ERROR, OwnMetric, metric_of
from sidebyside.config.schema import Study
from sidebyside.report.compare import compare_study
from sidebyside.report.page.index import write_index
from sidebyside.report.text.claims import claims
from sidebyside.storage.evidence import Ensemble, Evidence, RunEvidence
from sidebyside.storage.evidence_files import read_evidence, write_evidence
from support.processes import run_here as run
from support.projects import copy_project, in_place

pytestmark = pytest.mark.slow

IMAGES, CLASSES, SEEDS = 300, 6, 4
LEVELS = {"size": [3, 5], "dropout": [True, False]}
TARGET = (np.arange(IMAGES) % CLASSES).astype(np.uint8)
EFFECT = {3: 0.0, 5: 1.0}  # on the logit of the true class
GAIN = OwnMetric(name="gain", target="own.gain", unit="coins", better="higher", digits=3)
METRICS = ["log_loss", "brier", "top2_error", "balanced_error", "calibration_error", GAIN]


def probabilities(number, size, seed):
    """Return what a network gives whose true class is the surer the larger it is."""
    shared = np.random.default_rng(0).normal(0, 1, (IMAGES, CLASSES))
    own = np.random.default_rng([number, seed]).normal(0, 0.3, (IMAGES, CLASSES))
    logits = shared + own
    logits[np.arange(IMAGES), TARGET] += 1.5 + EFFECT[size]
    exact = np.exp(logits)
    return (exact / exact.sum(axis=1, keepdims=True)).astype(np.float32)


def scored(metric, given):
    if metric == ERROR:
        return None, None
    if metric.target:  # the function itself isn't needed by a report
        scores = np.where(given.argmax(axis=1) == TARGET, 1, -5).astype(np.float32)
        return scores, float(scores.mean(dtype=float))
    scores = scores_by_image(metric, given, TARGET)
    return scores, value_of_run(metric, given, TARGET, scores)


def run_of(metric, number, factors, seed):
    given = probabilities(number, factors["size"], seed)
    scores, value = scored(metric, given)
    accuracy = [0.5, 0.9 + 0.01 * number]
    return RunEvidence(
        key=f"{number}-{seed}",
        variant=variant_name(factors),
        factors=factors,
        seed=seed,
        identity={"recipe": {"protocol": "clean", "epochs": 2}},
        parameters=1000 * (1 + number),
        weights_digest=f"{number}-{seed}",
        history={"accuracy": accuracy, "val_accuracy": accuracy, "val_loss": [1.0, 0.5 / number]},
        test_loss=0.4,
        layout=None,
        predicted=given.argmax(axis=1).astype(np.uint8),
        certainty=given[np.arange(IMAGES), TARGET].astype(np.float16),
        value=value,
        scores=scores,
        others={} if metric == ERROR else all_values(given, TARGET),
    )


def evidence(metric, **more):
    grid = [dict(zip(LEVELS, one, strict=True)) for one in product(*LEVELS.values())]
    runs = [
        run_of(metric, number, factors, seed)
        for number, factors in enumerate(grid, 1)
        for seed in range(SEEDS)
    ]
    ensembles = []
    for number, factors in enumerate(grid, 1):
        mean = np.mean([probabilities(number, factors["size"], s) for s in range(SEEDS)], axis=0)
        scores, _ = scored(metric, mean)
        labels = mean.argmax(axis=1).astype(np.uint8)
        keys = tuple(f"{number}-{seed}" for seed in range(SEEDS))
        ensembles.append(Ensemble(variant_name(factors), keys, labels, scores))
    return Evidence(
        dataset="made",
        study="judged",
        runs=runs,
        target=TARGET,
        samples=np.zeros((40, 8, 8), np.uint8),
        sample_labels=TARGET[:40],
        missing=[],
        ensembles=ensembles,
        gallery_index=np.zeros(0, np.int32),
        gallery=np.zeros((0, 8, 8), np.uint8),
        metric=metric,
        margin=None if metric == ERROR else 0.02,
        **more,
    )


def study(chosen, **more):
    return Study(name="judged", metric=chosen, margin=0.02, expected_equal=["dropout"], **more)


def dataset():
    file = File(name="f", bytes=5000, sha256="0" * 64)
    roles = ("train_images", "train_labels", "test_images", "test_labels")
    return Dataset(
        name="made",
        image_shape=[8, 8],
        classes=CLASSES,
        files=dict.fromkeys(roles, file),
        sources=[],
        disputed=[7, 11],
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The report's folder in a project without anything else."""
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(tmp_path))
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(tmp_path))
    folder = tmp_path / "reports" / "made" / "judged"
    folder.mkdir(parents=True)
    return folder


def compared(folder, chosen, known=None, **more):
    known = known or evidence(metric_of(chosen))
    write_evidence(folder / "evidence.npz", known)
    compare_study(dataset(), study(chosen, **more))
    return json.loads((folder / "comparison.json").read_text())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A function that returns the folder of a report by a metric, which is made once."""
    folders = {}

    def folder_of(chosen):
        if str(chosen) not in folders:
            root = tmp_path_factory.mktemp("made")
            folder = root / "reports" / "made" / "judged"
            folder.mkdir(parents=True)
            with in_place(root, root):
                compared(folder, chosen)
            folders[str(chosen)] = folder
        return folders[str(chosen)]

    return folder_of


@pytest.fixture
def report_by(made, folder):
    """A function that copies such a report to the project's folder and returns its numbers."""

    def copied(chosen):
        shutil.copytree(made(chosen), folder, dirs_exist_ok=True)
        return json.loads((folder / "comparison.json").read_text())

    return copied


def pictures_text(folder):
    svgs = (folder / "pictures").glob("*.svg")
    return " ".join(re.sub(r"<[^>]*>", " ", path.read_text()) for path in svgs)


def test_a_report_of_the_log_loss_has_the_numbers_of_scipy(report_by):
    found = report_by("log_loss")
    by_variant = {}
    for number, entry in enumerate(found["variants"], 1):
        given = [probabilities(number, entry["factors"]["size"], seed) for seed in range(SEEDS)]
        losses = np.stack([-np.log(own[np.arange(IMAGES), TARGET]) for own in given])
        by_variant[entry["name"]] = losses.mean(axis=1)
        assert entry["log_loss"]["mean"] == pytest.approx(losses.mean(), abs=1e-6)
        ends = stats.ttest_1samp(losses.mean(axis=1), 0).confidence_interval()
        low, high = entry["log_loss"]["low"], entry["log_loss"]["high"]
        assert (low, high) == pytest.approx((max(0, ends.low), ends.high), abs=1e-5)
        assert entry["over_images"]["low"] < losses.mean() < entry["over_images"]["high"]
    for pair in found["pairs"]:
        expected = stats.ttest_rel(by_variant[pair["a"]], by_variant[pair["b"]])
        assert pair["p"] == pytest.approx(expected.pvalue, rel=1e-3, abs=2e-6)
        ends = expected.confidence_interval()
        written = pair["difference"]["low"], pair["difference"]["high"]
        assert written == pytest.approx((ends.low, ends.high), abs=1e-5)
    size = next(e for e in found["effects"]["main"] if e["factor"] == "size")
    three, five = (
        np.mean([own for name, own in by_variant.items() if f"size={size}" in name], axis=0)
        for size in (3, 5)
    )
    expected = stats.ttest_rel(five, three)
    assert size["difference"] == pytest.approx((five - three).mean(), abs=1e-6)
    assert size["p"] == pytest.approx(expected.pvalue, rel=1e-3, abs=2e-6)
    chosen = found["selection"]
    assert chosen["validation_loss"] == pytest.approx(0.125)
    assert chosen["log_loss"] == pytest.approx(by_variant[chosen["chosen"]].mean(), abs=1e-6)


def test_a_report_of_the_log_loss_speaks_of_nats_alone(report_by, folder):
    found = report_by("log_loss")
    statements = " ".join(found["statements"])
    assert re.search(r"Size 5 is better than 3 by 0\.\d{4} nats \[0\.\d{4}, ", statements)
    assert "Chosen by validation loss: " in statements
    assert re.search(r"with a test log loss of 0\.\d{4} nats \[", statements)
    assert re.search(r"have a lower log loss than one of them by 0\.\d{4} nats", statements)
    assert re.search(r"equivalent within 0\.02 nats|aren't shown to be equiv", statements)
    markdown, page = (folder / "comparison.md").read_text(), (folder / "report.html").read_text()
    before, _, after = markdown.partition("<summary>Other scores, without claims")
    after = after[after.index("<summary>What each factor does") :]
    seen = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    told = [statements, before, after, seen, pictures_text(folder)]
    for text in told:
        foreign = re.finditer(r"[\d,] points\b|test error", text)
        assert [text[max(0, at.start() - 80) : at.end() + 80] for at in foreign] == []
    assert "difference, nats" in after
    assert "Runs are judged by the log loss of the test images in nats" in page
    assert "log loss minus the baseline's, nats (left: better)" in pictures_text(folder)


def words(metric):
    """Return label, unit and unit of differences, as a report writes them."""
    unit = {"%": r" %"}.get(metric.unit, f" {metric.unit}".rstrip())
    return metric.label, unit, f" {metric.unit_apart}".rstrip()


@pytest.mark.parametrize("chosen", METRICS, ids=str)
def test_all_that_is_told_is_told_by_the_metric(report_by, folder, chosen):
    metric = metric_of(chosen)
    found = report_by(chosen)
    label, unit, apart = words(metric)
    number = rf"-?\d+\.\d{{{metric.digits}}}"
    text = " ".join(found["statements"])
    assert re.search(rf"test {label} of {number}{unit}\W", text)
    assert re.search(rf"better than \S+ by {number}{apart}\W", text) or label.startswith("exp")
    means = [entry[metric.name]["mean"] for entry in found["variants"]]
    best = (max if metric.higher_is_better else min)(means)
    markdown = (folder / "comparison.md").read_text()
    rows = [line for line in markdown.splitlines() if line.startswith(("| 3 ", "| 5 "))]
    assert f"{best:.{metric.digits}f}" in rows[0]
    assert found["metric"]["label"] == label
    assert f"![Test {label} by variant]" in markdown
    page = (folder / "report.html").read_text()
    assert ("higher is better" in page) == metric.higher_is_better
    assert f"Cost beside {label}" in page
    if metric.unit != "%":
        assert "points" not in text
    rows = [json.loads(path.read_text()) for path in (folder / "metrics").iterdir()]
    assert sorted(row[metric.name] for row in rows) == pytest.approx(sorted(means))
    assert all({"n", f"{metric.name}_low", f"{metric.name}_high"} < row.keys() for row in rows)


@pytest.mark.parametrize(
    ("chosen", "title"), [("error", "Test error"), ("log_loss", "Test log loss")]
)
def test_the_index_says_what_a_picture_is_of(report_by, folder, chosen, title):
    report_by(chosen)
    (folder / "pictures").mkdir(exist_ok=True)
    (folder / "pictures" / "variants.svg").write_text("<svg/>")
    index = write_index(folder.parent.parent).read_text()
    assert f'alt="{title} of each variant of judged on made"' in index


def test_a_higher_gain_is_better(report_by, folder):
    found = report_by(GAIN)
    statements = " ".join(found["statements"])
    assert re.search(r"Size 5 is better than 3 by \d\.\d{3} coins \[\d", statements)
    assert "have a higher gain than one of them" in statements
    worse = [pair for pair in found["pairs"] if pair["verdict"] == "worse"]
    better = [pair for pair in found["pairs"] if pair["verdict"] == "better"]
    assert worse + better
    assert all(pair["difference"]["mean"] < 0 for pair in worse)
    assert all(pair["difference"]["mean"] > 0 for pair in better)
    assert "gain minus the baseline's, coins (right: better)" in pictures_text(folder)
    for entry in found["ensemble"]["variants"]:
        gain = entry["test_gain"] - entry["mean_of_members"]
        assert entry["gain"]["mean"] == pytest.approx(gain, abs=2e-6)
    assert found["selection"]["lowest_test_gain"] >= found["selection"]["test_gain"]


def test_a_metric_that_is_no_mean_over_images_says_what_there_is_not(report_by, folder):
    found = report_by("calibration_error")
    assert all(entry["over_images"] is None for entry in found["variants"])
    assert all(entry["seeds_and_images"] is None for entry in found["variants"])
    assert all(entry["calibration_error"]["low"] is not None for entry in found["variants"])
    assert (found["ensemble"]["variants"], found["floor"]) == ([], None)
    sentence = "is no mean over images, so there are no intervals for new images"
    assert sentence in (folder / "comparison.md").read_text()
    assert sentence in (folder / "report.html").read_text()


def test_without_disputed_labels_the_classes_that_are_left_count_alike():
    known, disputed = evidence(metric_of("balanced_error")), [0, 6, 12, 18, 1]
    floor = analyse(known, study("balanced_error"), disputed).content["floor"]
    left = np.setdiff1d(np.arange(IMAGES), disputed)
    for told in floor["variants"]:
        for name, images in (("with", np.arange(IMAGES)), ("without", left)):
            recalls = [
                balanced_accuracy_score(TARGET[images], run.predicted[images])
                for run in known.of_variant(told["variant"])
            ]
            assert told[name] == pytest.approx(100 * (1 - np.mean(recalls)), abs=1e-4)


def test_a_choice_by_another_figure_says_so(report_by):
    text = " ".join(report_by("brier")["statements"])
    assert "Chosen by validation error, as training records no Brier score of validation" in text


def test_claims_are_made_in_the_metrics_unit(folder):
    write_evidence(folder / "evidence.npz", evidence(metric_of("log_loss")))
    comparison = compare_study(dataset(), study("log_loss"))
    texts = [claim.text for claim in claims(comparison.analysis) if claim.difference]
    assert any("nats" in text for text in texts)
    assert not any("points" in text for text in texts)


def test_other_scores_are_tabled_without_claims(report_by, folder):
    report_by("log_loss")
    markdown = (folder / "comparison.md").read_text()
    section = markdown.split("<summary>Other scores, without claims")[1].split("</details>")[0]
    rows = [line.split("|")[1:-1] for line in section.splitlines() if line.startswith("| ")]
    head, first = ([cell.strip() for cell in row] for row in rows[:2])
    assert head[2:] == [
        "error %",
        "Brier score",
        "top-2 error %",
        "top-5 error %",
        "balanced error %",
        "expected calibration error %",
    ]
    values = [all_values(probabilities(1, 3, seed), TARGET) for seed in range(SEEDS)]
    assert float(first[3]) == pytest.approx(np.mean([own["brier"] for own in values]), abs=6e-5)
    assert float(first[4]) == pytest.approx(
        np.mean([own["top2_error"] for own in values]), abs=6e-3
    )
    assert "Other scores, without claims" in (folder / "report.html").read_text()


def test_an_error_has_other_scores_where_they_are_asked_for(folder):
    known = evidence(metric_of("log_loss"))
    runs = [replace(own, value=None, scores=None) for own in known.runs]
    ensembles = [replace(own, scores=None) for own in known.ensembles]
    errors = replace(known, runs=runs, ensembles=ensembles, metric=ERROR, margin=None)
    found = compared(folder, "error", errors, other_scores=True)
    assert "metric" not in found
    markdown = (folder / "comparison.md").read_text()
    assert "<summary>Other scores, without claims" in markdown
    asked = "++study.other_scores=true ++study.margin=0.02 '++study.expected_equal=[dropout]'"
    assert f"dataset=made {asked}`." in markdown


def test_evidence_keeps_scores_and_metric_and_none_of_it_for_the_error(tmp_path):
    one, two = tmp_path / "one.npz", tmp_path / "two.npz"
    for chosen in METRICS:
        write_evidence(one, evidence(metric_of(chosen)))
        known = read_evidence(one)
        assert (known.metric, known.margin) == (metric_of(chosen), 0.02)
        write_evidence(two, known)
        assert one.read_bytes() == two.read_bytes()
    write_evidence(one, evidence(ERROR))
    with np.load(one) as stored:
        assert not {"metric", "scores", "value", "others", "ensemble_scores"} & {*stored.files}
    damaged = evidence(metric_of("brier"))
    cut = [replace(own, scores=own.scores[:-1]) for own in damaged.runs]
    write_evidence(one, replace(damaged, runs=cut))
    with pytest.raises(UserError, match="can't be read as evidence"):
        read_evidence(one)


def test_evidence_of_another_metric_is_refused_and_nothing_is_written(folder):
    known = evidence(metric_of("log_loss"))
    for chosen, named in (("error", "error"), ("brier", "brier")):
        with pytest.raises(UserError, match=f"study.metric=log_loss, not of {named}"):
            compared(folder, chosen, known)
    with pytest.raises(UserError, match="has no other scores than its metric's"):
        compared(folder, "error", evidence(ERROR), other_scores=True)
    assert [path.name for path in folder.iterdir()] == ["evidence.npz"]


def test_a_margin_is_asked_for_in_the_metrics_unit(compose):
    from sidebyside.config.validate import check_study

    assert check_study(compose("study=factorial")).margin == 0.1
    with pytest.raises(UserError, match=r"study.margin=null won't do: it should be set in nats"):
        check_study(compose("study=factorial", "study.metric=log_loss"))
    chosen = "study.metric={name:gain,_target_:own.gain,unit:'%',better:higher}"
    own = check_study(compose("study=factorial", chosen, "study.margin=2.0"))
    metric = own.judged_by
    assert (metric.unit_apart, metric.higher_is_better, metric.name) == (
        "points",
        True,
        "test_gain",
    )
    for wrong, said in (
        ("top1_error", "should be one of error, log_loss, brier"),
        ("{name:gain}", "should have a _target_"),
        ("{name:brier,_target_:own.gain}", "should have another name"),
        (
            "{name:gain,_target_:own.gain,colour:red}",
            "study.metric.colour isn't a setting",
        ),
    ):
        with pytest.raises(UserError, match=said):
            check_study(compose("study=factorial", f"study.metric={wrong}", "study.margin=2.0"))


FILE = """# @package _global_
defaults:
  - override /dataset: digits
  - override /model: mlp
study:
  name: judged
  metric: log_loss
  margin: 0.02
  until: null
  question: variants
  halfwidth: null
  max_seeds: 20
model:
  blocks: [{type: flatten}, {type: dense, units: 16}, {type: dropout, rate: 0.2}]
training: {epochs: 2, seeds: 3}
hydra:
  sweeper:
    params:
      optimizer: adam,adadelta
      model.dropout: false
      seed: range(0,${training.seeds})
"""
OWN = """import numpy as np
def gain(probabilities, target):
    return np.where(probabilities.argmax(axis=1) == target, 1.0, -5.0)
def short(probabilities, target):
    return np.zeros(3)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with a study of digits that is judged by its log loss."""
    project = copy_project(tmp_path_factory.mktemp("judged"))
    (project / "conf" / "study" / "judged.yaml").write_text(FILE)
    (project / "own.py").write_text(OWN)
    return project


def stage(project, name, *arguments):
    script = [sys.executable, str(project / "pipelines" / f"{name}.py")]
    return run([*script, *arguments, "study=judged"], project, project)


def test_a_study_is_trained_stopped_and_told_by_its_metric(project):
    refused = stage(project, "train", "-m", "study.metric={name:own,_target_:own.short}")
    assert refused.returncode == 2
    assert "own.short gives an array of shape (3,)" in refused.stderr
    assert not (project / "runs").exists() or not list((project / "runs").glob("*/run.json"))

    decided = ("study.until=decided", "study.max_seeds=5")
    done = stage(project, "train", "-m", *decided)
    assert done.returncode == 0, done.stderr
    assert "Look 1 (3 seeds): " in done.stderr
    other = stage(project, "compare", "dataset=digits", "study.metric=brier")
    assert other.returncode == 2
    assert "were added by study.metric=log_loss" in other.stderr
    assert stage(project, "compare", "dataset=digits").returncode == 0
    report = project / "reports" / "digits" / "judged"
    found = json.loads((report / "comparison.json").read_text())
    assert found["stopping"]["metric"]["name"] == "log_loss"
    assert "within 0.02 nats if equivalent" in (report / "comparison.md").read_text()

    with np.load(report / "evidence.npz") as stored:
        target, variants = stored["target"], stored["variant"]
        keys = stored["key"].tolist()
    means = []
    for key in keys:
        given = np.load(project / "runs" / key / "evaluation" / "probabilities.npy")
        means.append(-np.log(np.clip(given[np.arange(len(target)), target], 1e-7, 1)).mean())
    (pair,) = found["pairs"]
    a, b = (np.array(means)[variants == pair[name]] for name in ("a", "b"))
    assert pair["difference"]["mean"] == pytest.approx((a - b).mean(), abs=1e-6)
    looks = [stats.ttest_rel(a[:n], b[:n]).pvalue / (n / 8) for n in (3, 5) if n <= len(a)]
    assert pair["p"] == pytest.approx(min(1, *looks), rel=1e-3, abs=2e-6)


def test_a_metric_of_ones_own_is_told_and_made_again_by_the_command_in_its_report(project):
    shutil.rmtree(project / "results", ignore_errors=True)
    shutil.rmtree(project / "reports", ignore_errors=True)
    chosen = ("study.metric={name:gain,_target_:own.gain,unit:coins,better:higher}",)
    done = stage(project, "train", "-m", *chosen)
    assert done.returncode == 0, done.stderr
    done = stage(project, "compare", "dataset=digits", *chosen)
    assert done.returncode == 0, done.stderr
    report = project / "reports" / "digits" / "judged"
    files = [path for path in report.rglob("*.*") if path.suffix not in ("", ".html")]
    first = {path: path.read_bytes() for path in files}
    found = json.loads((report / "comparison.json").read_text())
    with np.load(report / "evidence.npz") as stored:
        wrong = (stored["predicted"] != stored["target"]).mean(axis=1)
        variants = stored["variant"]
    for entry in found["variants"]:
        expected = (1 - 6 * wrong[variants == entry["name"]]).mean()
        assert entry["test_gain"]["mean"] == pytest.approx(expected, abs=1e-6)
    other = stage(project, "compare", "dataset=digits")
    assert other.returncode == 2
    assert "metric {name: gain, _target_: own.gain} there, log_loss now" in other.stderr

    command = re.search("Made by `(.*)`", (report / "comparison.md").read_text())[1]
    shutil.rmtree(project / "results")
    for path in first.keys() - {report / "evidence.npz"}:
        path.unlink()
    (project / "own.py").write_text("")  # what is in the evidence needs no function
    again = run([sys.executable, *shlex.split(command)[1:]], project, project, cwd=project)
    assert again.returncode == 0, again.stderr
    assert {path: path.read_bytes() for path in first} == first
