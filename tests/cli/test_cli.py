"""The command ``sidebyside``: summaries, samples, predictions, exports."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pytest
from PIL import Image, ImageDraw

from sidebyside.cli.main import main
from sidebyside.config.compose import compose_grid
from sidebyside.data.preprocessing import idx
from sidebyside.execution.study import run_grid
from sidebyside.storage.evidence_files import write_evidence
from support.executors import InThisProcess
from support.processes import run as run_to_its_end
from support.projects import copy_project, in_place

pytestmark = pytest.mark.slow

EPOCHS = 3
STUDY = (
    "study=factorial",
    "model=conv_single",
    "model.blocks=[{type:conv,filters:8},{type:pool},{type:dropout,rate:0.25},{type:flatten},"
    "{type:dense,units:64}]",
    "model.kernel_size=5",
    "model.dropout=true",
    "optimizer=adam",
    "seed=0",
    f"training.epochs={EPOCHS}",
)


@pytest.fixture(scope="module")
def studied(project, one_thread, empty_database, tmp_path_factory) -> Path:
    """The home of a study of two networks good enough to read digits."""
    home = tmp_path_factory.mktemp("studied")
    shutil.copy(empty_database, home)
    with in_place(project, home):
        launched = run_grid(compose_grid(STUDY), InThisProcess(), home / "logs")
    assert not launched.failures
    return home


@pytest.fixture
def command(project, studied, monkeypatch, capsys, tmp_path):
    """A function that runs the command line, with the study at home, and returns what it says."""
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(project))
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(studied))
    monkeypatch.chdir(tmp_path)

    def given(*arguments, code=0) -> str:
        if code:
            with pytest.raises(SystemExit) as ended:
                main([str(argument) for argument in arguments])
            assert ended.value.code == code
        else:
            main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return said.err if code else said.out

    return given


def seven(path: Path, ink: object = "black", paper: object = "white", mode="RGB") -> Path:
    """Draw a seven, off-centre, on 200x200 pixels."""
    image = Image.new(mode, (200, 200), paper)
    draw = ImageDraw.Draw(image)
    draw.line([(90, 20), (175, 22), (125, 130)], fill=ink, width=13, joint="curve")
    image.save(path)
    return path


def nought(path: Path) -> Path:
    """Draw a nought, light on dark."""
    image = Image.new("L", (120, 160), 10)
    ImageDraw.Draw(image).ellipse([20, 30, 90, 130], outline=240, width=12)
    image.save(path, quality=95)
    return path


def page(path: Path) -> Path:
    """Draw a page of text."""
    image = Image.new("L", (400, 500), 255)
    for y in range(20, 480, 20):
        ImageDraw.Draw(image).text((20, y), "It is a truth universally acknowledged", fill=0)
    image.save(path)
    return path


@pytest.mark.parametrize(
    ("preset", "total"),
    [
        ("adadelta_3x3", "1,199,882"),
        ("adam_5x5_single_conv", "592,074"),
        ("mlp_784", "623,290"),
        ("simple_cnn_5x5", "592,074"),
    ],
)
def test_a_summary_adds_up_to_the_published_count(command, preset, total):
    said = command("summary", f"preset={preset}")
    assert f"Total parameters: {total}\n" in said


def test_a_summary_shows_shapes_and_formulas(command):
    said = command("summary", "preset=simple_cnn_5x5")
    for words in (
        "(None, 32, 24, 24)",  # channels_first
        "28 - 5 + 1 = 24",
        "floor(24 / 2) = 12",
        "12 x 12 x 32 = 4608",
        "(5 x 5 x 1 + 1) x 32",
        "589,952",
        "(4608 + 1) x 128",
    ):
        assert words in said


def test_a_summary_is_what_keras_builds(one_thread, compose):
    from sidebyside.config.validate import check
    from sidebyside.engine.recipe import Network
    from sidebyside.engine.summary import summarise
    from sidebyside.engine.training.fit import compiled

    blocks = (
        "model.blocks=[{type:conv,filters:3,padding:same},{type:batch_norm},{type:pool,size:3},"
        "{type:dropout,rate:0.1},{type:flatten},{type:dense,units:7}]"
    )
    config = check(compose(blocks, "data_format=channels_first"))
    shape, classes = config.dataset.shape, config.dataset.classes
    network = compiled(Network(config.recipe(), shape, classes))
    rows = summarise(config.model, shape, classes, config.data_format)
    assert [row.name for row in rows] == [layer.name for layer in network.layers]
    assert [row.shape for row in rows] == [layer.output.shape for layer in network.layers]
    assert [row.parameters for row in rows] == [layer.count_params() for layer in network.layers]
    trainable = sum(np.prod(weight.shape) for weight in network.trainable_weights)
    assert sum(row.trainable for row in rows) == trainable
    kinds = [type(layer).__name__ for layer in network.layers]
    assert [row.kind.split()[0] for row in rows] == kinds


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["preset=nosuch"], "preset=nosuch is unknown"),
        (["preset=larger_cnn", "model.dropout=false"], "model.dropout can't be set"),
        (["model.kernel_size=99"], "conv_1 (99x99)"),
        (["nosuch=1"], "nosuch isn't a setting of this version"),
    ],
)
def test_a_summary_of_nothing_sensible_is_refused(command, arguments, words):
    assert words in command("summary", *arguments, code=2)


def test_the_best_network_reads_what_was_drawn(command, tmp_path):
    drawn = [
        seven(tmp_path / "dark on light.png"),
        seven(tmp_path / "colour.png", ink=(120, 20, 30), paper=(250, 240, 190)),
        seven(tmp_path / "transparent.png", ink=(0, 0, 90, 255), paper=(0, 0, 0, 0), mode="RGBA"),
        nought(tmp_path / "light on dark.jpg"),
    ]
    read = json.loads(command("predict", *drawn, "--json"))["predictions"]
    assert [image["label"] for image in read] == ["7", "7", "7", "0"]
    assert all(0.5 < image["probability"] <= 1 for image in read)
    assert [any("inverted" in done for done in image["changes"]) for image in read] == [1, 1, 1, 0]
    assert all(any("centred" in done for done in image["changes"]) for image in read)
    assert {image["target"] for image in read} == {None}


def test_thin_strokes_are_thickened(command, tmp_path):
    drawn = Image.new("L", (300, 300), 255)
    ImageDraw.Draw(drawn).line([(60, 40), (200, 44), (120, 250)], fill=0, width=2)
    drawn.save(tmp_path / "thin.png")
    (image,) = json.loads(command("predict", "thin.png", "--json"))["predictions"]
    assert image["label"] == "7"
    assert "strokes thickened" in image["changes"]


def test_test_images_come_with_their_targets(command, project):
    said = json.loads(command("predict", "--test-index", 0, 99, 999, "--json"))["predictions"]
    labels = np.load(project / "data/processed/mnist5k/channels_last/test_labels.npy")
    assert [image["target"] for image in said] == [
        str(n) for n in labels[[0, 99, 999]].argmax(axis=1)
    ]
    assert "target" in command("predict", "--test-index", 0)


def test_an_idx_file_gives_the_predictions_of_its_images(command, project, tmp_path):
    images = np.load(project / "data/processed/mnist5k/channels_last/test_images.npy")[:3, ..., 0]
    (tmp_path / "three").write_bytes(idx.serialise(np.rint(images * 255).astype(np.uint8)))
    from_file = json.loads(command("predict", "three", "--json"))["predictions"]
    from_set = json.loads(command("predict", "--test-index", 0, 1, 2, "--json"))["predictions"]
    assert [image["image"] for image in from_file] == [f"three[{number}]" for number in range(3)]
    for image, same in zip(from_file, from_set, strict=True):
        assert image["label"] == same["label"]
        assert image["probability"] == pytest.approx(same["probability"], abs=1e-5)


def broken(path: Path) -> Path:
    seven(path)
    path.write_bytes(path.read_bytes()[:200])
    return path


def two_digits(path: Path) -> Path:
    both = Image.new("RGB", (400, 200), "white")
    both.paste(Image.open(seven(path)), (0, 0))
    both.paste(Image.open(path), (180, 0))
    both.save(path)
    return path


def blank(path: Path) -> Path:
    Image.new("L", (200, 200), 255).save(path)
    return path


def huge(path: Path) -> Path:
    Image.new("1", (20_000, 20_000)).save(path)
    return path


def text(path: Path) -> Path:
    path.write_text("a letter")
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (page, "separate marks, so it isn't one digit"),
        (blank, "shows nothing"),
        (two_digits, "2 characters side by side"),
        (broken, "is no PNG, JPEG or IDX image that can be read"),
        (text, "is no PNG, JPEG or IDX image that can be read"),
        (huge, "has more than 40 million pixels"),
        (lambda path: path, "can't be read: No such file"),
    ],
)
def test_what_is_no_digit_gets_a_clear_answer(command, tmp_path, make, words):
    path = make(tmp_path / "given.png")
    said = command("predict", path, code=2)
    assert said.startswith(f"error: {path}")
    assert words in said


def test_a_model_is_found_by_key_and_by_mlflow_run(command, studied):
    client = mlflow.MlflowClient(f"sqlite:///{studied / 'mlflow.db'}")
    runs = client.search_runs(["1"], "tags.run_key != ''")
    digits = set()
    for run in runs:
        key = run.data.tags["run_key"]
        by_key = json.loads(command("predict", "--model", key[:8], "--test-index", 5, "--json"))
        by_id = command("predict", "--model", run.info.run_id, "--test-index", 5, "--json")
        assert json.loads(by_id) == by_key
        assert by_key["model"] == f"run {key[:12]}"
        digits.add(by_key["predictions"][0]["probability"])
    assert len(digits) == 2


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("0123456789ab", "No run here has a key that begins with 0123456789ab"),
        ("0" * 32, "neither a run key here nor a finished run"),
        ("../../etc/passwd", "model=../../etc/passwd is no run key"),
    ],
)
def test_an_unknown_model_is_named(command, model, words):
    assert words in command("predict", "--model", model, "--test-index", 0, code=2)


def test_an_index_beyond_the_test_set_is_named(command):
    assert "--test-index 1000" in command("predict", "--test-index", 1000, code=2)


def test_nothing_to_predict_is_said(command):
    assert "Nothing to predict" in command("predict", code=2)


def test_exports_are_tried_and_open_only_on_trust(command, studied):
    (key, _) = sorted(path.parent.name for path in (studied / "runs").glob("*/run.json"))
    formats = ("keras", "h5", "savedmodel", "tflite")
    said = command("export", "--model", key[:12], "--format", *formats, "--output", "out")
    assert said.count("same labels as run") == 4
    assert "on 1000 test images" in said
    exported = f"out/{key[:12]}.keras"
    refused = command("predict", "--model", exported, "--test-index", 0, code=2)
    assert f"{exported} is a file that nothing vouches for: add --trust" in refused
    trusted = command("predict", "--model", exported, "--trust", "--test-index", 0, "--json")
    known = command("predict", "--model", key, "--test-index", 0, "--json")
    assert json.loads(trusted)["predictions"] == json.loads(known)["predictions"]


def test_a_file_that_is_no_model_is_refused_even_on_trust(command, tmp_path):
    (tmp_path / "bad.keras").write_text("PK no")
    said = command("predict", "--model", "bad.keras", "--trust", "--test-index", 0, code=2)
    assert "bad.keras can't be loaded as a Keras model" in said


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_model_that_brings_code_is_refused_even_on_trust(one_thread, command, tmp_path, suffix):
    import keras

    code = keras.layers.Lambda(lambda x: (open("ran", "w").close(), x)[1])
    path = tmp_path / f"lambda.{suffix}"
    keras.Sequential([keras.Input((28, 28, 1)), code, keras.layers.Flatten()]).save(path)
    (tmp_path / "ran").unlink()  # it ran when the network was built
    said = command("predict", "--model", path, "--trust", "--test-index", 0, code=2)
    assert f"{path.name} can't be loaded as a Keras model" in said
    assert "lambda" in said.split("Keras model:")[1].lower()
    assert not (tmp_path / "ran").exists()


def test_a_tampered_model_is_not_opened(command, studied):
    (weights, _) = sorted((studied / "runs").glob("*/model.weights.h5"))
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    said = command("predict", "--model", weights.parent.name, "--test-index", 0, code=2)
    weights.write_bytes(whole)
    assert f"Run {weights.parent.name[:12]} isn't opened" in said
    assert "model.weights.h5" in said


def test_samples_are_drawn_and_logged_to_the_study(command, studied, tmp_path):
    said = command("samples", "--rows", 3, "--columns", 5, "--study", "factorial")
    assert "3x5 train images: samples.png" in said
    assert (tmp_path / "samples.png").read_bytes().startswith(b"\x89PNG")
    client = mlflow.MlflowClient(f"sqlite:///{studied / 'mlflow.db'}")
    (parent,) = client.search_runs(["1"], "tags.level = 'parent'")
    assert [file.path for file in client.list_artifacts(parent.info.run_id)] == ["samples.png"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rows", 0], "0x10"),
        (["--first", 990, "--images", "test"], "Images 990 to 1029"),
        (["--study", "published"], "has no parent run in MLflow yet"),
    ],
)
def test_samples_that_are_not_there_are_refused(command, arguments, words):
    assert words in command("samples", *arguments, code=2)


def test_each_run_has_its_curves_and_log_lines_in_mlflow(studied):
    client = mlflow.MlflowClient(f"sqlite:///{studied / 'mlflow.db'}")
    for run in client.search_runs(["1"], "tags.run_key != ''"):
        names = {file.path for file in client.list_artifacts(run.info.run_id)}
        assert "epochs.log" in names
        folder = Path(run.info.artifact_uri.removeprefix("file://"))
        lines = (folder / "epochs.log").read_text().splitlines()
        assert len(lines) == EPOCHS
        final = run.data.metrics["val_accuracy"]
        assert lines[-1].startswith(f"epoch {EPOCHS}/{EPOCHS}: ")
        assert f"val_accuracy {final:.4f}" in lines[-1]


def test_the_command_is_installed():
    command = Path(sys.executable).with_name("sidebyside")
    said = subprocess.run([command, "--help"], capture_output=True, text=True, check=True).stdout
    assert "summary" in said
    assert "predict" in said


LIGHT = [
    *([name, "--help"] for name in ("summary", "predict", "export", "compare", "sync", "ui")),
    ["report", "--help"],
    ["--help"],
    ["verify", "claims", "--help"],
    ["summary", "preset=simple_cnn_5x5"],
]
ONE_AFTER_ANOTHER = f"""
import sys
from sidebyside.cli.main import main
for arguments in {LIGHT}:
    try:
        main(arguments)
    except SystemExit as ended:
        assert not ended.code
    print("imported:", *arguments, *{{"tensorflow", "pandas", "mlflow"}} & {{*sys.modules}})
"""


def test_what_is_not_needed_is_not_imported(project, tmp_path):
    done = run_to_its_end([sys.executable, "-c", ONE_AFTER_ANOTHER], project, tmp_path)
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stdout.splitlines() if line.startswith("imported:")]
    assert told == [" ".join(["imported:", *arguments]) for arguments in LIGHT]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing command"),
        (["data"], "Missing command"),
        (["nosuch"], "No such command 'nosuch'"),
        (["sync", "--nosuch"], "No such option '--nosuch'"),
        (["compare", "only-one"], "Missing argument 'SECOND'"),
        (["samples", "--images", "both"], "'both' is not one of 'train', 'test'"),
        (["export", "--format", "keras", "onnx"], "'onnx' is not one of"),
        (["predict", "--test-index", "0", "photo.jpg"], "'photo.jpg' is not a valid integer"),
    ],
)
def test_a_command_line_that_is_none_gets_one_line(command, arguments, words):
    said = command(*arguments, code=2)
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert words in said
    assert "--help` tells what can be given" in said


VARIANTS = [
    f"kernel_size=5,dropout=true,optimizer=adam,data_format=channels_{which}"
    for which in ("last", "first")
]


def test_two_variants_are_compared(command):
    (pair,) = json.loads(command("compare", *VARIANTS, "--json"))
    assert (pair["a"], pair["b"]) == tuple(VARIANTS)
    assert pair["n"] == 1
    assert pair["verdict"] == "can't tell"
    assert 0 <= pair["mcnemar_p"] <= 1
    said = command("compare", *VARIANTS)
    assert "**" not in said
    assert "Can't tell" in said
    assert "McNemar's p" in said


def test_variants_of_a_study_that_grew_are_compared_as_its_report_compares_them(
    tmp_path, monkeypatch, capsys
):
    root = Path(__file__).resolve().parents[2]
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(root))
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(tmp_path))
    report = json.loads((root / "reports" / "mnist" / "order" / "comparison.json").read_text())
    for expected in report["pairs"][:3]:
        names = expected["a"], expected["b"]
        main(["compare", *names, "--study", "order", "--dataset", "mnist", "--json"])
        (pair,) = json.loads(capsys.readouterr().out)
        assert pair["difference"] == pytest.approx(expected["difference"], abs=1e-6)
        assert pair["seeds_and_images"] == pytest.approx(expected["seeds_and_images"], abs=1e-6)
        assert pair["p"] == pytest.approx(expected["p"], rel=1e-3, abs=1e-6)
        assert [own["seeds"] for own in pair["looks"]] == [
            own["seeds"] for own in expected["looks"]
        ]


def test_two_runs_are_compared_by_image(command, studied):
    keys = sorted(path.parent.name for path in (studied / "runs").glob("*/run.json"))
    (pair,) = json.loads(command("compare", keys[0][:10], keys[1], "--json"))
    errors = [
        json.loads((studied / "runs" / key / "evaluation" / "evaluation.json").read_text())
        for key in keys
    ]
    expected = errors[0]["test_error"] - errors[1]["test_error"]
    assert pair["difference"]["mean"] == pytest.approx(expected)


def test_runs_that_came_with_results_alone_are_compared_each_time(
    command, project, tmp_path, monkeypatch
):
    keys = sorted(
        path.parent.name for path in (project / "results").glob("*/factorial/train/*/run.json")
    )
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(tmp_path / "new"))
    first, again = (json.loads(command("compare", *keys[:2], "--json")) for _ in range(2))
    assert first == again


def test_levels_that_are_lists_tell_variants_apart(
    tmp_path, monkeypatch, capsys, committed_factorial
):
    names = ["units=[1,2,3,4],dropout=true", "units=[1,3,2,4],dropout=true"]
    known = list(dict.fromkeys(run.variant for run in committed_factorial.runs))
    renamed = dict(zip(known, names, strict=False))
    runs = [
        replace(run, variant=renamed[run.variant])
        for run in committed_factorial.runs
        if run.variant in renamed
    ]
    root = copy_project(tmp_path)
    folder = root / "reports" / "mnist" / "factorial"
    folder.mkdir(parents=True)
    evidence = replace(committed_factorial, runs=runs, ensembles=[])
    write_evidence(folder / "evidence.npz", evidence)
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(root))
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(root))
    asked = ["compare", "--study", "factorial", "--dataset", "mnist"]
    turned = "dropout=true,units=[1,3,2,4]"
    main([*asked, names[0], turned, "--json"])
    (pair,) = json.loads(capsys.readouterr().out)
    assert [pair["a"], pair["b"]] == names
    with pytest.raises(SystemExit):
        main([*asked, names[1], turned])
    assert "against itself" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["kernel_size=5,dropout=maybe", VARIANTS[0]], "did you mean kernel_size=5,dropout=true"),
        ([VARIANTS[0], VARIANTS[0]], "against itself"),
        (["factorial", "published"], "study=published"),
        (["A", VARIANTS[0]], "name two variants of study=factorial"),
        (["0123456789", "9876543210"], "No run here has a key that begins with 0123456789"),
    ],
)
def test_what_cannot_be_compared_is_named(command, names, words):
    assert words in command("compare", *names, code=2)
