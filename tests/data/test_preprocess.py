"""Raw images to arrays."""

import hashlib
import itertools
import pickle
import re
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest

from sidebyside import UserError
from sidebyside.config.datasets import File
from sidebyside.config.protocols import PROTOCOLS, training_size
from sidebyside.config.validate import check
from sidebyside.data.arrays import open_arrays
from sidebyside.data.prepare import counting_on, prepare, preprocess
from sidebyside.data.preprocessing import idx
from sidebyside.data.preprocessing.splits import divide
from sidebyside.data.shared_arrays import fetch_by_digest, push_arrays
from sidebyside.storage.shared.bundles import SharedStore
from sidebyside.storage.shared.opened import objects_at
from support.processes import read_until, start

pytestmark = pytest.mark.usefixtures("home")  # whose journal notes that test images were read


@pytest.mark.parametrize(
    ("data_format", "shape"), [("channels_last", (28, 28, 1)), ("channels_first", (1, 28, 28))]
)
def test_arrays_have_the_shapes_that_are_recorded(project, data_format, shape):
    arrays = open_arrays(project / "data" / "processed" / "mnist5k" / data_format)
    for part, count in (("train", 4000), ("test", 1000)):
        images, labels = arrays.read(f"{part}_images"), arrays.read(f"{part}_labels")
        assert images.shape == (count, *shape)
        assert images.dtype == labels.dtype == np.float32
        assert (images.min(), images.max()) == (0, 1)
        assert labels.shape == (count, 10)
        assert (labels.sum(axis=1) == 1).all()
        assert arrays.shapes[f"{part}_images"] == {
            "before": [count, 28, 28],
            "after": [count, *shape],
        }
        assert arrays.shapes[f"{part}_labels"] == {"before": [count], "after": [count, 10]}
        classes = arrays.read(f"{part}_classes")
        assert classes.dtype == np.uint8
        np.testing.assert_array_equal(labels.argmax(axis=1), classes)


def test_both_formats_hold_the_same_pixels(project):
    folder = project / "data" / "processed" / "mnist5k"
    last, first = (open_arrays(folder / name) for name in ("channels_last", "channels_first"))
    images = last.read("train_images")[:, :, :, 0], first.read("train_images")[:, 0]
    np.testing.assert_array_equal(*images)
    raw = project / "data" / "raw" / "mnist5k" / "mnist5k-train-images-idx3-ubyte"
    pixels = idx.parse(raw.read_bytes(), "raw", 3)
    np.testing.assert_array_equal(np.rint(images[0] * 255), pixels)


def test_the_script_prints_the_shapes(run_script):
    done = run_script("preprocess", "data_format=channels_first")
    assert "train_images: (4000, 28, 28) -> (4000, 1, 28, 28)" in done.stdout
    assert "test_labels: (1000,) -> (1000, 10)" in done.stdout


@pytest.fixture
def workspace(project, compose, tmp_path, monkeypatch):
    """A workspace with the raw files alone, and the dataset's config."""
    root = tmp_path / "workspace"
    shutil.copytree(project / "data" / "raw", root / "data" / "raw")
    dataset = check(compose()).dataset
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(root))
    return root, dataset


def test_a_truncated_file_is_refused_by_name(workspace):
    root, dataset = workspace
    path = root / "data" / "raw" / "mnist5k" / dataset.files["test_images"].name
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(UserError, match=f"{path} is damaged.*Delete it and run the download again"):
        preprocess(dataset, "channels_last")


def test_a_flipped_byte_is_refused_by_name(workspace):
    root, dataset = workspace
    path = root / "data" / "raw" / "mnist5k" / dataset.files["test_images"].name
    path.write_bytes(path.read_bytes()[:-1] + b"\x2a")
    with pytest.raises(UserError, match=f"{path} is damaged"):
        preprocess(dataset, "channels_last")


@pytest.mark.faults(
    fault="a flipped byte in processed data",
    lost="that file",
    repeated="nothing",
    code=2,
    says="train_images.npy is missing or damaged",
)
def test_damaged_arrays_are_refused_when_read(workspace, fault):
    _, dataset = workspace
    arrays = preprocess(dataset, "channels_last")
    path = arrays.folder / "train_images.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=re.escape(fault.says)):
        arrays.read("train_images")
    assert arrays.read("test_labels").shape == (1000, 10)


def test_arrays_of_other_files_are_made_again(workspace):
    _, dataset = workspace
    first = prepare(dataset, "channels_last")
    made = (first.folder / "arrays.json").stat().st_mtime_ns
    prepare(dataset, "channels_last")
    assert (first.folder / "arrays.json").stat().st_mtime_ns == made
    description = first.folder / "arrays.json"
    stale = description.read_text().replace(dataset.files["train_images"].sha256, "0" * 64)
    description.write_text(stale)
    assert prepare(dataset, "channels_last").made_from == first.made_from


@pytest.fixture
def halves(workspace, tmp_path):
    """A function that returns a dataset of two parts, "a" and "b", given the one that trains."""
    _, dataset = workspace
    served, files = tmp_path / "served", {}
    served.mkdir()
    for number, part in enumerate("ab"):
        images = np.full((60, 28, 28), number, np.uint8)
        for kind, array in (("images", images), ("labels", np.arange(60, dtype=np.uint8) % 2)):
            content, name = idx.serialise(array), f"{part}-{kind}"
            (served / name).write_bytes(content)
            files[part, kind] = File(name, len(content), hashlib.sha256(content).hexdigest())

    def trained_on(part):
        parts = {"train": part, "test": "ab".replace(part, "")}
        roles = {
            f"{role}_{kind}": files[parts[role], kind]
            for role, kind in itertools.product(parts, ("images", "labels"))
        }
        return replace(
            dataset,
            name="halves",
            classes=2,
            files=roles,
            sources=[str(served)],
            training_images=60,
        )

    return trained_on


def test_files_with_other_roles_make_other_arrays_and_the_same_ones_the_same(halves):
    first = prepare(halves("a"), "channels_last")
    assert not first.read("train_images").any()
    other = prepare(halves("b"), "channels_last")
    assert other.read("train_images").all()
    assert not other.read("test_images").any()
    assert prepare(halves("a"), "channels_last").digest == first.digest != other.digest


# Counts on the data of a dataset, until it is killed.
COUNTING = """
import pickle, sys, time
from sidebyside.data.prepare import counting_on
dataset = pickle.loads(bytes.fromhex(sys.argv[1]))
with counting_on([(dataset, "channels_last")], "dataset=mnist5k"):
    print("counting", flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
def test_arrays_that_a_launch_counts_on_are_not_exchanged_while_it_lives(workspace, home):
    root, dataset = workspace
    arrays, other = prepare(dataset, "channels_last"), replace(dataset, normalisation="standardise")
    command = [sys.executable, "-c", COUNTING, pickle.dumps(other).hex()]
    with start(command, root, home) as process:
        read_until(process.stdout, "counting")
        assert prepare(dataset, "channels_last") == arrays  # they are there: nothing is exchanged
        assert prepare(other, "channels_last").holds("levels")
        said = (
            "are in use with normalisation=standardise by the launch of dataset=mnist5k "
            rf"\(process {process.pid}\), and those with normalisation=scale would take"
        )
        for exchange in (prepare, preprocess):
            with pytest.raises(UserError, match=said):
                exchange(dataset, "channels_last")
        with (
            pytest.raises(UserError, match="would take their place"),
            counting_on([(dataset, "channels_last")], "dataset=mnist5k"),
        ):
            pass
        assert prepare(dataset, "channels_first").folder.is_dir()
        process.kill()
    assert prepare(dataset, "channels_last") == arrays


def test_one_launch_counts_on_what_another_does_and_exchanges_nothing_itself(workspace):
    _, dataset = workspace
    other = replace(dataset, normalisation="standardise")
    with (
        counting_on([(dataset, "channels_last")], "dataset=mnist5k"),
        counting_on([(dataset, "channels_last")], "study=factorial on dataset=mnist5k"),
    ):
        prepare(dataset, "channels_last")
        with pytest.raises(UserError, match="are in use with normalisation=scale"):
            prepare(other, "channels_last")
    assert prepare(other, "channels_last").holds("levels")


def test_arrays_from_a_shared_store_take_no_place_that_is_in_use(workspace, tmp_path):
    _, dataset = workspace
    (tmp_path / "shared").mkdir()
    shared = SharedStore(objects_at((tmp_path / "shared").as_uri()))
    other = prepare(replace(dataset, normalisation="standardise"), "channels_last")
    push_arrays(shared, other)
    arrays, asked = prepare(dataset, "channels_last"), ("mnist5k", "channels_last", other.digest)
    with counting_on([(dataset, "channels_last")], "dataset=mnist5k"):
        with pytest.raises(UserError, match="are in use"):
            fetch_by_digest(shared, *asked)
        assert open_arrays(arrays.folder) == arrays
    fetch_by_digest(shared, *asked)
    assert open_arrays(arrays.folder) == other


def test_arrays_that_were_exchanged_are_not_called_damaged(workspace):
    _, dataset = workspace
    arrays = prepare(dataset, "channels_last")
    prepare(replace(dataset, normalisation="standardise"), "channels_last")
    with pytest.raises(UserError, match="were exchanged meanwhile by a command with another"):
        arrays.read("train_images")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"classes": 12}, "its config says classes: 12, but its train labels go up to 9"),
        ({"classes": 5}, "its config says classes: 5, but its train labels go up to 9"),
        ({"image_shape": [10, 40]}, r"train images are \(28, 28\) pixels, its config says"),
    ],
)
def test_arrays_that_the_config_contradicts_are_refused(workspace, changed, words):
    _, dataset = workspace
    first = prepare(dataset, "channels_last")
    with pytest.raises(UserError, match=words):
        prepare(replace(dataset, **changed), "channels_last")
    assert prepare(dataset, "channels_last").digest == first.digest


LABELS = np.arange(6000) % 10


def divided(protocol):
    return divide(protocol, LABELS, training_size(protocol, len(LABELS)))


def test_the_clean_protocol_holds_out_a_stratified_sixth():
    division = divided("clean")
    assert len(division.validation) == 1000
    assert sorted([*division.training, *division.validation]) == list(range(6000))
    assert np.bincount(LABELS[division.validation]).tolist() == [100] * 10
    np.testing.assert_array_equal(divided("clean").validation, division.validation)


def test_published_protocols_divide_as_their_tutorials_did():
    everything = list(range(6000))
    for protocol in ("train60k", "test_as_validation"):
        division = divided(protocol)
        assert division.training.tolist() == everything
        assert division.validation is None
    assert divided("tf55k").training.tolist() == everything[500:]
    assert divided("tf55k").validation is None
    assert divided("split20").training.tolist() == everything[:4800]
    assert divided("split20").validation.tolist() == everything[4800:]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_size_is_known_before_the_labels_are(protocol):
    assert len(divided(protocol).training) == training_size(protocol, len(LABELS))
