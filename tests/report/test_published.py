"""Published figures held against runs: a report from committed evidence alone."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from sidebyside.storage.evidence import Evidence, RunEvidence
from sidebyside.storage.evidence_files import write_evidence
from support.projects import SOURCE, copy_project

TABLE = yaml.safe_load(
    (SOURCE / "src" / "sidebyside" / "analysis" / "published" / "published.yaml").read_text()
)
IMAGES = 10_000
NO_GALLERY = (np.zeros(0, np.int32), np.zeros((0, 28, 28), np.uint8))
TARGET = np.arange(IMAGES, dtype=np.uint8) % 10


def run(preset, protocol, seed, wrong, epochs=2) -> RunEvidence:
    """Return a run with so many wrong predictions."""
    predicted = TARGET.copy()
    predicted[1 : wrong + 1] = (predicted[1 : wrong + 1] + 1) % 10
    accuracy = [0.9 + 0.09 * epoch / epochs for epoch in range(1, epochs + 1)]
    return RunEvidence(
        key=f"{preset}-{protocol}-{seed}",
        variant=f"preset={preset}",
        factors={"preset": preset},
        seed=seed,
        identity={"recipe": {"protocol": protocol}},
        parameters=1,
        weights_digest=f"{preset}-{protocol}-{seed}",
        history={
            "loss": [0.1] * epochs,
            "accuracy": accuracy,
            "val_loss": [0.1] * epochs,
            "val_accuracy": accuracy,
        },
        test_loss=0.04,
        layout=None,
        predicted=predicted,
        certainty=(predicted == TARGET).astype(np.float16),
    )


def evidence(study, runs) -> Evidence:
    samples = np.zeros((40, 28, 28), np.uint8)
    return Evidence("mnist", study, runs, TARGET, samples, TARGET[:40], [], [], *NO_GALLERY)


def names():
    """Return preset and recipe of each reading."""
    for name in TABLE["recipes"]:
        for preset in TABLE["readings"].get(name, [name]):
            yield preset, TABLE["recipes"][name]


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A project without data or runs that has the evidence of the three studies."""
    root = copy_project(tmp_path_factory.mktemp("rebuilt"))
    runs, clean = [], []
    for preset, recipe in names():
        wrong = round(100 * recipe["test_error"])
        off = {"larger_cnn": 40, "mlp_784": -40}.get(preset, 0)
        far = 30 if preset == "adam_5x5_no_dropout" else 0
        spread = 15 if preset == "simple_cnn_5x5" else 3
        epochs = recipe["epochs"]
        for seed, step in enumerate((-1, 0, 1)):
            errors = wrong + off + far + step * spread
            runs.append(run(preset, recipe["protocol"], seed, errors, epochs))
            clean.append(run(preset, "clean", seed, errors + 10, epochs))
    split = [
        run("adam_3x3_split20", protocol, seed, 100 + seed + 5 * (protocol == "split20"), 3)
        for protocol in ("split20", "train60k")
        for seed in range(3)
    ]
    for study, its_runs in (
        ("published", runs),
        ("published_clean", clean),
        ("published_split20", split),
    ):
        folder = root / "reports" / "mnist" / study
        folder.mkdir(parents=True)
        write_evidence(folder / "evidence.npz", evidence(study, its_runs))
    return root


@pytest.fixture(scope="module")
def report(project, tmp_path_factory) -> Path:
    """The folder of the report, made twice."""
    folder = project / "reports" / "mnist" / "published"
    made = []
    for _ in range(2):
        compare(project)
        made.append({path: path.read_bytes() for path in folder.rglob("*") if path.is_file()})
    assert made[0] == made[1]
    return folder


def compare(project):
    """Compare in this process, with ``project`` as the root."""
    from hydra import compose, initialize_config_dir

    from sidebyside.config.validate import check_dataset, check_study
    from sidebyside.report.compare import compare_study

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIDEBYSIDE_ROOT", str(project))
        patch.setenv("SIDEBYSIDE_HOME", str(project))
        with initialize_config_dir(str(project / "conf"), version_base="1.3"):
            config = compose("config", ["dataset=mnist", "study=published"])
        return compare_study(check_dataset(config), check_study(config))


@pytest.mark.slow
def test_each_published_figure_gets_its_verdict(report):
    content = json.loads((report / "comparison.json").read_text())
    entries = content["published"]
    verdicts = {one["recipe"]: one["verdict"] for one in entries if one["verdict"]}
    assert len(entries) == 10
    assert len(verdicts) == 8
    assert verdicts.pop("larger_cnn") == "published is better"
    assert verdicts.pop("mlp_784") == "published is worse"
    assert set(verdicts.values()) == {"reproduced"}
    by_preset = {entry["preset"]: entry for entry in entries}
    assert by_preset["adam_5x5_single_conv"]["verdict"] is not None
    assert by_preset["simple_cnn_5x5"]["sd"] > by_preset["simple_cnn_5x5"]["sd_moderated"] > 0.03
    for entry in entries:
        low, high = entry["prediction_interval"]
        # Three runs that are 3 images apart have an sd of 0.03 points.
        assert low < entry["mean"] < high
        if entry["preset"] != "simple_cnn_5x5":
            assert entry["sd"] == pytest.approx(0.03)
        assert entry["clean_minus_published_protocol"]["mean"] == pytest.approx(0.1)
        assert entry["n"] == 3
        assert entry["published_interval"][0] < entry["published_error"]


@pytest.mark.slow
def test_the_report_says_it_in_words(report):
    text = (report / "comparison.md").read_text()
    assert (
        "Of 8 published test errors: 6 reproduced, 1 published is worse, 1 published is better"
        in text
    )
    assert 'At the final test error "one convolution, both dropouts" fits best, 0.00' in text
    # Differences that are equal are no surer than whole images allow.
    assert "a difference of +0.05 [+0.04, +0.06] points" in text
    assert "Fewer training images make it worse." in text
    assert "test image 0 is predicted as published by 0 of 3 runs" in text
    for line in TABLE["left_open"]:
        assert line in text


@pytest.mark.slow
def test_the_pictures_are_there(report):
    for name in ("published", "published_curves", "samples"):
        assert (report / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_evidence_that_is_damaged_or_misplaced_is_named(project, report, tmp_path):
    from sidebyside.errors import UserError

    path = report / "evidence.npz"
    whole = path.read_bytes()
    clean = report.with_name("published_clean") / "evidence.npz"
    for content, words in (
        (whole[: len(whole) // 2], "can't be read as evidence"),
        (b"", "can't be read as evidence"),
        (clean.read_bytes(), "is evidence of study=published_clean"),
    ):
        path.write_bytes(content)
        with pytest.raises(UserError, match=words):
            compare(project)
    path.write_bytes(whole)
