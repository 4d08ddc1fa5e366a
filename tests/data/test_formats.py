"""Every format of raw data, whole and damaged: to the arrays that it holds, or to a sentence."""

import gzip
import io
import pickle
import re
import shutil
import struct
import tarfile
import threading
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from sidebyside import UserError, compose
from sidebyside.cli.main import main
from sidebyside.config.datasets import Dataset, File
from sidebyside.data.adding import describe
from sidebyside.data.checking import check_images
from sidebyside.data.download import download
from sidebyside.data.prepare import prepare, read_raw
from sidebyside.engine.recipe import DATA_FORMATS
from support.projects import SOURCE

CLASSES = 3
COUNTS = {"train": 25, "test": 8}  # CIFAR-10 comes in five files of training images
FRACTION = 0.25
KEYS = {
    "train_images": "x_train",
    "train_labels": "y_train",
    "test_images": "x_test",
    "test_labels": "y_test",
}
IDX_NAMES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
Arrays = dict[str, np.ndarray]
Files = dict[str, tuple[str, bytes]]  # name and content by role
MEBI = 2**20


def some(*shape: int) -> Arrays:
    """Return images of a shape and labels, neither in any order."""
    generator = np.random.default_rng(len(shape))
    arrays = {}
    for part, count in COUNTS.items():
        arrays[f"{part}_images"] = generator.integers(0, 256, (count, *shape), np.uint8)
        arrays[f"{part}_labels"] = (generator.permutation(count) % CLASSES).astype(np.uint8)
    return arrays


GREY = some(5, 4)  # height and width differ, so that neither is taken for the other
COLOUR = some(5, 4, 3)
CIFAR = some(32, 32, 3)


# Files, written here as their formats have it, without the code under test.


def idx_file(array: np.ndarray) -> bytes:
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def idx_files(arrays: Arrays, ending: str = "", packed: Callable[[bytes], bytes] = bytes) -> Files:
    return {
        role: (IDX_NAMES[role] + ending, packed(idx_file(array))) for role, array in arrays.items()
    }


def zipped(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=1, mtime=0)


def gzip_of_zeros(head: bytes, zeros: int) -> bytes:
    """Return ``head`` and that many zeros, made of copies of one compressed block."""
    pack = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    packed = pack.compress(head) + pack.flush(zlib.Z_FULL_FLUSH)
    block = pack.compress(bytes(16 * MEBI)) + pack.flush(zlib.Z_FULL_FLUSH)
    checksum = zlib.crc32(head)
    for _ in range(zeros // (16 * MEBI)):
        checksum = zlib.crc32(bytes(16 * MEBI), checksum)
    trailer = struct.pack("<II", checksum, len(head) + zeros)
    return zipped(b"")[:10] + packed + block * (zeros // (16 * MEBI)) + pack.flush() + trailer


def npz_file(arrays: Arrays, save=np.savez, **instead) -> bytes:
    """Return an archive, with other arrays for some keys; None leaves a key out."""
    named = {KEYS[role]: array for role, array in arrays.items()} | instead
    stream = io.BytesIO()
    save(stream, **{key: array for key, array in named.items() if array is not None})
    return stream.getvalue()


def npy_file(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npz_of(x_train: bytes, name: str = "x_train.npy", compression: int = 0) -> bytes:
    """Return an archive with any bytes in place of the training images."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        archive.writestr(name, x_train)
        for role, key in KEYS.items():
            if key != "x_train":
                archive.writestr(f"{key}.npy", npy_file(GREY[role]))
    return stream.getvalue()


def announcing(shape: object) -> bytes:
    """Return an array's file whose header says another shape than there are bytes for."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + bytes(100)


def entries_changed(content: bytes, offset: int, change: bytes) -> bytes:
    """Return an archive with bytes changed in each entry of its table of contents."""
    changed = bytearray(content)
    for found in re.finditer(rb"PK\x01\x02", content):
        at = found.start() + offset
        changed[at : at + len(change)] = change
    return bytes(changed)


def spoiled(content: bytes, at: int) -> bytes:
    return content[:at] + b"\xff" * 8 + content[at + 8 :]


def records(images: np.ndarray, *labels: np.ndarray) -> bytes:
    """Return images as CIFAR has them: labels, then a plane each of red, green and blue."""
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return np.concatenate([*(own[:, None] for own in labels), planes], axis=1).tobytes()


def cifar10_members(arrays: Arrays, folder: str = "cifar-10-batches-bin/") -> dict[str, bytes]:
    batches = zip(
        np.split(arrays["train_images"], 5), np.split(arrays["train_labels"], 5), strict=True
    )
    members = {f"data_batch_{at}.bin": records(*batch) for at, batch in enumerate(batches, 1)}
    members["test_batch.bin"] = records(arrays["test_images"], arrays["test_labels"])
    return {folder + name: content for name, content in members.items()}


def cifar100_members(arrays: Arrays) -> dict[str, bytes]:
    return {
        f"cifar-100-binary/{part}.bin": records(
            arrays[f"{part}_images"],
            19 - arrays[f"{part}_labels"],  # the coarse label, which isn't the class
            arrays[f"{part}_labels"],
        )
        for part in COUNTS
    }


def member(name: str, size: int, kind: bytes = tarfile.REGTYPE, target: str = "") -> bytes:
    """Return the header of a file in an archive."""
    header = tarfile.TarInfo(name)
    header.size, header.type, header.linkname = size, kind, target
    return header.tobuf(tarfile.GNU_FORMAT)


def tar_file(members: Mapping[str, bytes]) -> bytes:
    blocks = [
        member(name, len(content)) + content + bytes(-len(content) % 512)
        for name, content in members.items()
    ]
    return b"".join(blocks) + bytes(1024)


@dataclass(frozen=True)
class Sound:
    """A sound dataset: its arrays, and the files that hold them."""

    form: str
    arrays: Arrays
    files: Files


def archive(content: bytes, name: str = "some.npz") -> Files:
    return {"archive": (name, content)}


def tar_gz(members: Mapping[str, bytes]) -> Files:
    return archive(zipped(tar_file(members)), "some.tar.gz")


COLUMNS = {  # labels as keras.datasets.cifar10 has them
    KEYS[role]: COLOUR[role][:, None].astype(np.int64) for role in ("train_labels", "test_labels")
}
SOUND = {
    "idx": Sound("idx", GREY, idx_files(GREY)),
    "idx of colour": Sound("idx", COLOUR, idx_files(COLOUR)),
    "idx as .gz": Sound("idx", GREY, idx_files(GREY, ".gz", zipped)),
    "npz": Sound("npz", GREY, archive(npz_file(GREY))),
    "npz of colour, compressed": Sound(
        "npz", COLOUR, archive(npz_file(COLOUR, np.savez_compressed, **COLUMNS))
    ),
    "cifar10": Sound("cifar10", CIFAR, tar_gz(cifar10_members(CIFAR))),
    "cifar100": Sound("cifar100", CIFAR, tar_gz(cifar100_members(CIFAR))),
}
every_format = pytest.mark.parametrize("sound", SOUND.values(), ids=SOUND)


def dataset(form: str, files: Files, shape: tuple[int, ...], *sources: object) -> Dataset:
    """Return a dataset whose digests are those of ``files``, sound or not."""
    return Dataset(
        name="some",
        image_shape=list(shape),
        classes=CLASSES,
        files={
            role: File(name, len(content), sha256(content).hexdigest())
            for role, (name, content) in files.items()
        },
        sources=[str(source) for source in sources],
        format=form,
        training_images=COUNTS["train"],
    )


def of(sound: Sound, *sources: object) -> Dataset:
    return dataset(sound.form, sound.files, sound.arrays["train_images"].shape[1:], *sources)


def write(folder: Path, files: Files) -> Path:
    """Write files as a source serves them: compressed, unless their names have an ending."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.values():
        plain = Path(name).suffix
        (folder / (name if plain else f"{name}.gz")).write_bytes(
            content if plain else zipped(content)
        )
    return folder


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """An empty project that is its own home."""
    root = tmp_path / "workspace"
    root.mkdir()
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(root))
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(root))
    return root


@pytest.fixture
def configs(workspace):
    """The project's configs, to which more can be added."""
    (workspace / "conf").mkdir()
    for path in (SOURCE / "conf").iterdir():
        if path.name != "dataset":
            (workspace / "conf" / path.name).symlink_to(path)
    (workspace / "params.yaml").symlink_to(SOURCE / "params.yaml")
    return Path(shutil.copytree(SOURCE / "conf" / "dataset", workspace / "conf" / "dataset"))


class Server(ThreadingHTTPServer):
    """Serves a folder's files, in the manner that the first part of the path names."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder

    def url(self, manner: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{manner}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        _, manner, name = self.path.split("/", 2)
        path = self.server.folder / name
        if not path.is_file():
            self.send_error(404)
            return
        body = path.read_bytes()
        self.send_response(200)
        if manner == "encoding" and "gzip" in self.headers["Accept-Encoding"]:
            body = gzip.compress(body)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body) + (100 if manner == "cut" else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args) -> None:
        pass


@pytest.fixture
def server(tmp_path):
    with Server(tmp_path / "served") as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def command(configs, capsys):
    """A function that runs the command line and returns its exit code and what it says."""

    def given(*arguments: object) -> tuple[int, str]:
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as ended:
            return ended.code, capsys.readouterr().err
        return 0, capsys.readouterr().out

    return given


def assert_prepared(dataset: Dataset, arrays: Arrays) -> None:
    """Prepare a dataset in both data formats and compare all values to those of ``arrays``."""
    for data_format in DATA_FORMATS:
        prepared = prepare(dataset, data_format)
        for part in COUNTS:
            images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
            pixels = images.reshape(-1, *dataset.shape).astype(np.float32) / np.float32(255)
            if data_format == "channels_first":
                pixels = pixels.transpose(0, 3, 1, 2)
            assert_same(prepared.read(f"{part}_images"), pixels)
            hot = (labels[:, None] == np.arange(dataset.classes)).astype(np.float32)
            assert_same(prepared.read(f"{part}_labels"), hot)
            assert_same(prepared.read(f"{part}_classes"), labels)


def assert_read(dataset: Dataset, arrays: Arrays) -> None:
    """Download a dataset and compare what its files hold to ``arrays``."""
    download(dataset)
    found = read_raw(dataset)
    for role, array in arrays.items():
        assert_same(found[role], array)


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected, strict=True)


def sentence(message: str) -> str:
    """Return a message, which has to be one line."""
    assert message.strip() == message.strip().splitlines()[0]
    return message


# Sound files.


@every_format
def test_what_a_server_serves_becomes_arrays(workspace, server, sound):
    write(server.folder, sound.files)
    assert_prepared(of(sound, server.url("well")), sound.arrays)


@every_format
def test_what_a_mirror_folder_holds_is_read(workspace, tmp_path, monkeypatch, sound):
    monkeypatch.setenv("SIDEBYSIDE_MIRROR", str(write(tmp_path / "mirror", sound.files)))
    assert_read(of(sound), sound.arrays)


def test_a_transfer_that_is_compressed_on_the_way_changes_nothing(workspace, server):
    sound = SOUND["npz"]
    write(server.folder, sound.files)
    assert_read(of(sound, server.url("encoding")), sound.arrays)


@pytest.mark.parametrize("data_format", DATA_FORMATS)
def test_each_channel_is_standardised_by_the_training_images(workspace, tmp_path, data_format):
    sound = SOUND["npz of colour, compressed"]
    source = write(tmp_path / "source", sound.files)
    prepared = prepare(replace(of(sound, source), normalisation="standardise"), data_format)
    axis = -1 if data_format == "channels_last" else 1
    train = sound.arrays["train_images"].astype(float)
    mean, sd = train.mean(axis=(0, 1, 2)), train.std(axis=(0, 1, 2))
    for part in COUNTS:
        images = prepared.read(f"{part}_images")
        assert images.dtype == np.float32
        expected = (sound.arrays[f"{part}_images"] - mean) / sd
        np.testing.assert_allclose(np.moveaxis(images, axis, -1), expected, atol=1e-6)
        np.testing.assert_array_equal(prepared.pixels(images), sound.arrays[f"{part}_images"])


def test_another_normalisation_makes_the_arrays_again(workspace, tmp_path):
    sound = SOUND["npz"]
    scaled = of(sound, write(tmp_path / "source", sound.files))
    assert not prepare(scaled, "channels_last").holds("levels")
    again = prepare(replace(scaled, normalisation="standardise"), "channels_last")
    assert again.read("levels").shape == (1, 256)
    assert again.read("train_images").min() < 0
    assert_prepared(scaled, sound.arrays)


def test_the_digits_need_no_network(configs):
    from sklearn.datasets import load_digits

    digits = compose("dataset=digits", "model=mlp").dataset
    assert digits.sources == ["package:sklearn"]
    pixels, labels = load_digits(return_X_y=True)
    images = np.rint(pixels.reshape(-1, 8, 8) * 255 / 16).astype(np.uint8)
    labels = labels.astype(np.uint8)
    assert (images.min(), images.max()) == (0, 255)
    arrays = {
        "train_images": images[:-360],
        "train_labels": labels[:-360],
        "test_images": images[-360:],
        "test_labels": labels[-360:],
    }
    assert_prepared(digits, arrays)


# Files that are served with the digests of their configs, and hold something else.


def refusal(form: str, files: Files, shape: tuple[int, ...], source: Path) -> str:
    """Return why a dataset isn't prepared."""
    with pytest.raises(UserError) as refused:
        prepare(dataset(form, files, shape, write(source, files)), "channels_last")
    return sentence(str(refused.value))


NPZ = npz_file(GREY)
SQUEEZED = npz_file(GREY, np.savez_compressed)
WORDS = "is no NumPy archive|damaged"
NUMBERS = "whole numbers from 0 to 255 are needed"
MALFORMED_NPZ = {
    "cut short": (NPZ[:-30], WORDS),
    "no zip": (b"x_train", WORDS),
    "an array alone": (npy_file(GREY["train_images"]), WORDS),
    "a pickle": (pickle.dumps(GREY), WORDS),
    "a changed pixel": (NPZ.replace(GREY["test_images"].tobytes()[:9], bytes(9)), WORDS),
    "an array that isn't there whole": (npz_of(announcing((25, 5, 4))), WORDS),
    "a negative shape": (npz_of(announcing((-1, 5, 4))), WORDS),
    "no array": (npz_of(b"", "y.npy"), "has no x_train"),
    "two keys missing": (npz_file(GREY, x_train=None, y_test=None), "no x_train and no y_test"),
    "images of floats": (npz_file(GREY, x_train=np.ones((25, 5, 4))), f"float64.*{NUMBERS}"),
    "labels of floats": (npz_file(GREY, y_test=np.ones(8)), f"labels of float64.*{NUMBERS}"),
    "labels of text": (npz_file(GREY, y_test=np.array(["a"] * 8)), f"labels of <U1.*{NUMBERS}"),
    "images of truths": (npz_file(GREY, x_test=np.ones((8, 5, 4), bool)), f"bool.*{NUMBERS}"),
    "negative pixels": (npz_file(GREY, x_test=np.full((8, 5, 4), -1)), f"from -1 to -1.*{NUMBERS}"),
    "pixels of 16 bits": (npz_file(GREY, x_test=np.full((8, 5, 4), 256)), f"to 256.*{NUMBERS}"),
    "a label above 255": (npz_file(GREY, y_train=np.arange(25) + 232), f"to 256.*{NUMBERS}"),
    "flat images": (npz_file(GREY, x_train=GREY["train_images"].reshape(25, 20)), "height, width"),
    "a label too few": (npz_file(GREY, y_train=GREY["train_labels"][1:]), "25 train .* 24 train"),
    "an image too few": (npz_file(GREY, x_test=GREY["test_images"][1:]), "7 test .* 8 test"),
    "fewer images": (
        npz_file(GREY, x_train=GREY["train_images"][1:], y_train=GREY["train_labels"][1:]),
        "training_images: 25, but there are 24",
    ),
    "test images on their side": (
        npz_file(GREY, x_test=GREY["test_images"].swapaxes(1, 2)),
        r"test images are \(4, 5\) .* image_shape: \[5, 4\]",
    ),
    "images in colour": (npz_file(COLOUR), r"train images are \(5, 4, 3\)"),
    "a label too high": (npz_file(GREY, y_test=np.full(8, 3)), "classes: 3, .* go up to 3"),
    "a class without images": (npz_file(GREY, y_train=np.arange(25) % 2), "classes: 3, .* to 1"),
    "more than may be unpacked": (
        entries_changed(NPZ, 24, struct.pack("<I", 2**32 - 16)),
        "unpacks to 17179869120 bytes, more than the",
    ),
    "more than its entry says": (entries_changed(NPZ, 24, struct.pack("<I", 200)), WORDS),
}
MORE_MALFORMED_NPZ = {  # each a traceback
    "no images": npz_file(GREY, x_test=np.zeros((0, 5, 4), np.uint8), y_test=np.zeros(0, np.uint8)),
    "a single label": npz_file(GREY, y_train=np.array(1)),
    "labels of two columns": npz_file(GREY, y_train=np.ones((25, 2), np.uint8)),
    "labels in one row": npz_file(GREY, y_train=GREY["train_labels"][None]),
    "text in place of an array": npz_of(b"5 x 4 pixels", "x_train"),
    "encrypted": entries_changed(NPZ, 8, b"\1"),
    "damaged within what is deflated": spoiled(SQUEEZED, 61),
    "damaged within what LZMA packed": spoiled(
        npz_of(npy_file(GREY["train_images"]), compression=zipfile.ZIP_LZMA), 50
    ),
    "a shape beyond all memory": npz_of(announcing((10**14, 5, 4))),
    "a shape beyond all numbers": npz_of(announcing((10**30, 5, 4))),
    "a shape without end": npz_of(announcing("(" * 50)),
    "a shape that is no number": npz_of(announcing((True, True, True))),
    "an array before the archive": npy_file(GREY["train_images"]) + NPZ,
}


@pytest.mark.parametrize(("content", "words"), MALFORMED_NPZ.values(), ids=MALFORMED_NPZ)
def test_a_malformed_npz_is_refused_in_a_sentence(workspace, tmp_path, content, words):
    message = refusal("npz", archive(content), (5, 4), tmp_path / "source")
    assert "some" in message.split()[0]  # the file or the dataset
    assert re.search(words, message)


@pytest.mark.parametrize("content", MORE_MALFORMED_NPZ.values(), ids=MORE_MALFORMED_NPZ)
def test_another_malformed_npz_is_refused_in_a_sentence(workspace, tmp_path, content):
    message = refusal("npz", archive(content), (5, 4), tmp_path / "source")
    assert "some" in message.split()[0]


def test_names_in_an_archive_reach_no_terminal(workspace, tmp_path):
    message = refusal("npz", archive(npz_of(b"", "x\n\x1b[2J.npy")), (5, 4), tmp_path / "source")
    assert "has no x_train" in message
    assert message.isprintable()


class Touching:
    """An object that touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def test_no_object_is_unpickled(workspace, tmp_path):
    touched = tmp_path / "touched"
    content = npz_file(GREY, y_test=np.array([Touching(touched)] * 8))
    for attempt in (content, content.replace(b"y_test.npy", b"y_test.bin")):
        assert refusal("npz", archive(attempt), (5, 4), tmp_path / "source")
        shutil.rmtree(workspace / "data")
    assert not touched.exists()
    np.load(io.BytesIO(content), allow_pickle=True)["y_test"]
    assert touched.exists()  # so it would have


def peak(read: Callable[..., object], *arguments: object) -> int:
    """Return the most memory that it takes to refuse something, MiB."""
    tracemalloc.start()
    try:
        with pytest.raises(UserError):
            read(*arguments)
        return tracemalloc.get_traced_memory()[1] // MEBI
    finally:
        tracemalloc.stop()


def test_a_member_larger_than_its_entry_says_is_read_no_further(tmp_path):
    bomb = npz_of(npy_file(np.zeros((4, 8, MEBI), np.uint8)), compression=zipfile.ZIP_DEFLATED)
    path = tmp_path / "some.npz"
    path.write_bytes(entries_changed(bomb, 24, struct.pack("<I", 200)))
    assert path.stat().st_size < MEBI
    # NumPy makes room for what the header says; nothing is written there.
    assert peak(describe, str(path), "some", FRACTION) < 32 + 8


TEN, HUNDRED = cifar10_members(CIFAR), cifar100_members(CIFAR)
FIRST, *_, LAST = TEN
OTHERS = {name: content for name, content in TEN.items() if name != FIRST}
TAR = tar_file(TEN)
MALFORMED_CIFAR = {
    "cut short": (zipped(TAR)[:-2000], "is no gzip file, or a damaged one"),
    "a tar cut short": (zipped(TAR[:-8000]), "is no .tar.gz archive, or a damaged one"),
    "not compressed": (TAR, "is no gzip file, or a damaged one"),
    "no tar": (zipped(b"data_batch_1.bin" * 99), "is no .tar.gz archive, or a damaged one"),
    "an empty tar": (zipped(bytes(10240)), "has no data_batch_1.bin: .* the binary version"),
    "the pickled version": (
        zipped(tar_file({"cifar-10-batches-py/data_batch_1": pickle.dumps({"data": 1})})),
        "has no data_batch_1.bin: .* the binary version",
    ),
    "CIFAR-100": (zipped(tar_file(HUNDRED)), "has no data_batch_1.bin"),
    "no test images": (zipped(tar_file({**TEN, LAST: b""})), "test_batch.bin has 0 bytes"),
    "a byte too few": (
        zipped(tar_file({**TEN, FIRST: TEN[FIRST][:-1]})),
        "data_batch_1.bin has 15364 bytes, which aren't records of 3073",
    ),
    "two labels each": (
        zipped(tar_file({**TEN, FIRST: HUNDRED["cifar-100-binary/test.bin"]})),
        "data_batch_1.bin has 24592 bytes, which aren't records of 3073",
    ),
    "a file twice": (
        zipped(tar_file({**TEN, f"again/{FIRST}": TEN[FIRST]})),
        "data_batch_1.bin is there twice",
    ),
    "a file of a terabyte": (zipped(member(FIRST, 10**12) + TAR), "larger than it can be"),
    "a label too high": (
        zipped(tar_file({**TEN, LAST: b"\x0a" + TEN[LAST][1:]})),
        "classes: 3, but its test labels go up to 10",
    ),
    "a batch of three": (
        zipped(tar_file({**TEN, FIRST: TEN[FIRST][: 3 * 3073]})),
        "training_images: 25, but there are 23",
    ),
} | {
    f"a {kind} out of the archive": (
        zipped(member(FIRST, 0, code, "/etc/hostname") + tar_file(OTHERS)),
        "has no data_batch_1.bin",
    )
    for kind, code in (("symbolic link", tarfile.SYMTYPE), ("hard link", tarfile.LNKTYPE))
}


@pytest.mark.parametrize(("content", "words"), MALFORMED_CIFAR.values(), ids=MALFORMED_CIFAR)
def test_a_malformed_cifar10_is_refused_in_a_sentence(workspace, tmp_path, content, words):
    files = archive(content, "some.tar.gz")
    message = refusal("cifar10", files, (32, 32, 3), tmp_path / "source")
    assert "some" in message.split()[0]
    assert re.search(words, message)


@pytest.mark.parametrize("size", [2**63 - 512, 2**63])
def test_a_name_beyond_all_memory_is_refused_in_a_sentence(workspace, tmp_path, size):
    files = archive(zipped(member("name", size, tarfile.GNUTYPE_LONGNAME) + TAR), "some.tar.gz")
    message = refusal("cifar10", files, (32, 32, 3), tmp_path / "source")
    assert "some" in message.split()[0]


def test_a_malformed_cifar100_is_refused_in_a_sentence(workspace, tmp_path):
    cut = {name: content[:-1] for name, content in HUNDRED.items()}
    message = refusal("cifar100", tar_gz(cut), (32, 32, 3), tmp_path / "source")
    assert "train.bin has 76849 bytes, which aren't records of 3074" in message


@pytest.mark.parametrize("folder", ["../../../", "{outside}/"])
def test_a_path_out_of_the_archive_leads_nowhere(workspace, tmp_path, monkeypatch, folder):
    (tmp_path / "1" / "2" / "3").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "1" / "2" / "3")
    outside = tmp_path / "outside"
    outside.mkdir()
    members = {f"{folder}evil".format(outside=outside): b"evil"}
    members |= cifar10_members(CIFAR, folder.format(outside=outside))
    before = set(tmp_path.rglob("*.bin")) | set(tmp_path.rglob("evil"))
    source = write(tmp_path / "source", tar_gz(members))
    assert_prepared(dataset("cifar10", tar_gz(members), (32, 32, 3), source), CIFAR)
    assert set(tmp_path.rglob("*.bin")) | set(tmp_path.rglob("evil")) == before == set()


def test_a_name_without_end_fills_no_memory(tmp_path):
    path = tmp_path / "some.tar.gz"
    size = 256 * MEBI
    path.write_bytes(gzip_of_zeros(member("name", size, tarfile.GNUTYPE_LONGNAME), size))
    assert path.stat().st_size < MEBI
    assert peak(describe, str(path), "some", FRACTION) < 240  # CIFAR's own files have 176 in all


IMAGES = idx_file(GREY["train_images"])
MALFORMED_IDX_GZ = {
    "not compressed": (IMAGES, "is no gzip file"),
    "cut short": (zipped(IMAGES)[:-9], "is no gzip file, or a damaged one"),
    "without its last byte": (zipped(IMAGES)[:-1], "is no gzip file, or a damaged one"),
    "a changed checksum": (zipped(IMAGES)[:-8] + bytes(8), "is no gzip file, or a damaged one"),
    "cut before it was compressed": (zipped(IMAGES[:-1]), "is truncated"),
    "labels": (zipped(idx_file(GREY["train_labels"])), "has 1 dimensions where 3 are expected"),
    "floats": (zipped(b"\0\0\x0d\3" + IMAGES[4:]), "is no IDX file of unsigned bytes"),
    "fewer images": (zipped(idx_file(GREY["test_images"])), "8 train images and 25 train labels"),
}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        *(pytest.param(*case, id=name) for name, case in MALFORMED_IDX_GZ.items()),
        pytest.param(
            zipped(b"\0\0\x08\3" + struct.pack(">3I", 0, 2**32 - 1, 2**32 - 1)),
            "holds nothing: its header announces",
            id="no images, but huge",
        ),
    ],
)
def test_a_malformed_idx_gz_is_refused_in_a_sentence(workspace, tmp_path, content, words):
    files = SOUND["idx as .gz"].files
    files = files | {"train_images": (files["train_images"][0], content)}
    message = refusal("idx", files, (5, 4), tmp_path / "source")
    assert "some" in message.split()[0]
    assert words in message


@pytest.mark.parametrize(
    "counts",
    [(1, 1, 1), (2, 2, 2), (5, 5, 1)],
    ids=["an image a class", "none held out", "a class of one"],
)
def test_too_few_images_are_refused_in_a_sentence(workspace, tmp_path, counts):
    labels = np.repeat(np.arange(CLASSES, dtype=np.uint8), counts)
    few = GREY | {"train_images": GREY["train_images"][: len(labels)], "train_labels": labels}
    files = archive(npz_file(few))
    own = dataset("npz", files, (5, 4), write(tmp_path / "source", files))
    with pytest.raises(UserError, match="some"):
        prepare(replace(own, training_images=len(labels)), "channels_last")


# Folders of images.


def picture(label: int, number: int, mode: str = "L") -> Image.Image:
    """Return an image, another one for each label and number."""
    shape = (5, 4) if mode == "L" else (5, 4, 3)
    pixels = np.random.default_rng([label, number]).integers(0, 256, shape, np.uint8)
    return Image.fromarray(pixels).convert(mode)


NAMES = ["ant", "bee", "cat"]


def draw(folder: Path, count: int, mode: str = "L", ending: str = "png") -> Path:
    """Draw images of each class and return the folder."""
    for label, name in enumerate(NAMES):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            picture(label, number, mode).save(folder / name / f"{number}.{ending}")
    return folder


@pytest.fixture
def zoo(tmp_path):
    """A folder of twelve images of each class."""
    return draw(tmp_path / "zoo", 12)


def composed(name: str) -> Dataset:
    """Return a dataset of the workspace, with all of the config checked."""
    return compose(f"dataset={name}", "model=mlp", "training.batch_size=4").dataset


def pairs(dataset: Dataset, *parts: str) -> list[tuple[int, bytes]]:
    """Return the labels and pixels of a dataset, sorted: folders promise no order."""
    arrays = prepare(dataset, "channels_first")
    return sorted(
        (int(label), arrays.pixels(image[None])[0].tobytes())
        for part in parts
        for image, label in zip(
            arrays.read(f"{part}_images"), arrays.read(f"{part}_classes"), strict=True
        )
    )


def in_folder(folder: Path, mode: str = "L") -> list[tuple[int, bytes]]:
    """Return the labels and pixels of the images in a folder, sorted."""
    return sorted(
        (label, Image.open(path).convert(mode).tobytes())
        for label, name in enumerate(NAMES)
        for path in (folder / name).iterdir()
    )


@pytest.mark.parametrize(("mode", "ending"), [("L", "png"), ("RGB", "JPG"), ("L", "jpeg")])
def test_a_divided_folder_becomes_arrays(command, tmp_path, mode, ending):
    for part, count in (("train", 8), ("test", 2)):
        draw(tmp_path / "zoo" / part, count, mode, ending)
    command("data", "add", tmp_path / "zoo", "--name", "zoo")
    own = composed("zoo")
    assert own.class_names == NAMES
    assert own.image_shape == ([5, 4] if mode == "L" else [5, 4, 3])
    for part in COUNTS:
        assert pairs(own, part) == in_folder(tmp_path / "zoo" / part, mode)


def test_a_share_of_each_class_becomes_the_test_set(command, zoo):
    command("data", "add", zoo, "--name", "zoo", "--test-fraction", FRACTION)
    own = composed("zoo")
    assert pairs(own, "train", "test") == in_folder(zoo)
    assert np.bincount([label for label, _ in pairs(own, "test")]).tolist() == [3, 3, 3]
    assert own.size == 27


def test_the_same_images_elsewhere_are_the_same_dataset(command, zoo, tmp_path):
    command("data", "add", zoo, "--name", "zoo")
    before = pairs(composed("zoo"), "train")
    moved = tmp_path / "moved"
    shutil.copytree(zoo, moved)
    (moved / ".DS_Store").touch()
    (moved / "ant" / ".thumbnails").mkdir()
    assert describe(str(moved), "zoo", 0.2)["files"] == describe(str(zoo), "zoo", 0.2)["files"]
    command("data", "add", moved, "--name", "moved")
    assert pairs(composed("moved"), "train") == before


def test_one_image_in_colour_makes_all_of_them_so(command, zoo):
    picture(0, 0, "RGB").save(zoo / "ant" / "0.png")
    command("data", "add", zoo, "--name", "zoo")
    own = composed("zoo")
    assert own.image_shape == [5, 4, 3]
    assert pairs(own, "train", "test") == in_folder(zoo, "RGB")


def test_an_image_that_changed_since_is_not_prepared(command, zoo):
    command("data", "add", zoo, "--name", "zoo")
    picture(9, 9).save(zoo / "ant" / "3.png")
    own = composed("zoo")
    with pytest.raises(UserError, match=f"images:{zoo}: serves wrong bytes"):
        prepare(own, "channels_last")
    (zoo / "ant" / "3.png").write_bytes(b"damaged")
    with pytest.raises(UserError, match=f"images:{zoo}: {zoo}/ant/3.png can't be read"):
        prepare(own, "channels_last")


def test_more_classes_than_labels_have_values_are_refused(command, tmp_path):
    content = io.BytesIO()
    picture(0, 0).save(content, "PNG")
    for part in COUNTS:
        for label in range(257):
            path = tmp_path / "zoo" / part / f"{label:03}" / "0.png"
            path.parent.mkdir(parents=True)
            path.write_bytes(content.getvalue())
    code, said = command("data", "add", tmp_path / "zoo", "--name", "zoo")
    assert code == 2
    assert "256" in sentence(said)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def replaced(path: Path, image: Image.Image, form: str = "PNG") -> None:
    image.save(path, form)


MALFORMED_IMAGES = {
    "of another size": (lambda path: replaced(path, Image.new("L", (7, 6))), "sizes .*7x6.*scale"),
    "text": (lambda path: path.write_text("an ant"), "0.png can't be read .* Replace it"),
    "empty": (lambda path: path.write_bytes(b""), "0.png can't be read .* Replace it"),
    "cut short": (cut, "0.png can't be read .* Replace it"),
    "a GIF": (lambda path: replaced(path, picture(0, 0), "GIF"), "0.png can't be read"),
    "transparent": (
        lambda path: replaced(path, Image.new("RGBA", (4, 5))),
        "0.png has RGBA pixels .* save it in grey or in RGB",
    ),
    "of 16 bits": (
        lambda path: replaced(path, Image.new("I;16", (4, 5))),
        "0.png has I;16 pixels .* save it in grey or in RGB",
    ),
    "of four inks": (
        lambda path: replaced(path, Image.new("CMYK", (4, 5)), "JPEG"),
        "0.png has CMYK pixels .* save it in grey or in RGB",
    ),
    "huge": (
        lambda path: replaced(path, Image.new("1", (4097, 4096))),
        "0.png has 4097x4096 pixels, too many",
    ),
    "a note beside it": (
        lambda path: path.with_name("notes.txt").touch(),
        "notes.txt is no PNG and no JPEG file: convert it, or move it",
    ),
    "a folder beside it": (
        lambda path: path.with_name("more").mkdir(),
        "more is no PNG and no JPEG file: convert it, or move it",
    ),
    "no image of its class": (
        lambda path: shutil.rmtree(path.parent) or path.parent.mkdir(),
        "ant holds no images: add some, or remove the folder",
    ),
    "the only class": (
        lambda path: [shutil.rmtree(path.parents[1] / name) for name in NAMES[1:]],
        "zoo holds 1 folders: .* 2 to 256 classes is",
    ),
    "the only one of its class": (
        lambda path: [path.with_name(f"{number}.png").unlink() for number in range(1, 12)],
        "has 1, 12, 12 images of its classes, too few .* --test-fraction",
    ),
}


@pytest.mark.parametrize(("change", "words"), MALFORMED_IMAGES.values(), ids=MALFORMED_IMAGES)
def test_a_malformed_folder_is_refused_in_a_sentence(command, configs, zoo, change, words):
    change(zoo / "ant" / "0.png")
    code, said = command("data", "add", zoo, "--name", "zoo")
    assert code == 2
    assert sentence(said).startswith(f"error: {zoo}")
    assert re.search(words, said)
    assert not (configs / "zoo.yaml").exists()


def test_other_classes_in_the_test_set_are_refused(command, tmp_path):
    for part in COUNTS:
        draw(tmp_path / "zoo" / part, 2)
    (tmp_path / "zoo" / "test" / "cat").rename(tmp_path / "zoo" / "test" / "dog")
    code, said = command("data", "add", tmp_path / "zoo", "--name", "zoo")
    assert code == 2
    assert "hold other classes: ant, bee, cat and ant, bee, dog" in sentence(said)


# Any damage.


def damaged(whole: bytes):
    """Return a strategy for a file with bytes changed, cut out and put in, and cut short."""
    places = st.integers(0, len(whole) - 1)
    changed = st.tuples(places, st.none(), st.binary(min_size=1, max_size=4))
    exchanged = st.tuples(places, st.integers(0, 8), st.binary(max_size=8))

    def apply(edits: list[tuple[int, int | None, bytes]], keep: float) -> bytes:
        content = whole
        for at, drop, put in edits:
            after = at + (len(put) if drop is None else drop)
            content = content[:at] + put + content[after:]
        return content[: int(keep * len(content))] if keep < 0.1 else content

    # Bytes that are changed leave lengths as they are, so that more of a reader sees them.
    several = st.lists(changed, min_size=1, max_size=3) | st.lists(
        changed | exchanged, min_size=1, max_size=4
    )
    return st.builds(apply, several, st.floats(0, 1))


def each(contents, attempt: Callable[[bytes], None], cases: int = 100) -> None:
    """Attempt every one of a strategy's contents, always the same ones."""

    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(contents)
    def attempted(content: bytes) -> None:
        attempt(content)

    attempted()


@every_format
def test_a_damaged_raw_file_is_refused_or_as_it_was(workspace, tmp_path, sound):
    own = of(sound, write(tmp_path / "source", sound.files))
    download(own)
    name, whole = next(iter(sound.files.values()))
    path = workspace / "data" / "raw" / "some" / name
    refused = []

    def attempt(content: bytes) -> None:
        path.write_bytes(content)
        try:
            arrays = read_raw(own)
        except UserError as error:
            refused.append(sentence(str(error)))
            return
        for role, array in sound.arrays.items():
            assert_same(arrays[role], array)

    attempt(whole)
    assert not refused
    each(damaged(whole), attempt, 50)  # the digest sees them all
    assert len(refused) > 25


def tar_of(header: bytes) -> bytes:
    """Return an archive with a damaged header of its first file, and a checksum that fits."""
    header = header[:512].ljust(512, b"\0")
    blank = header[:148] + b" " * 8 + header[156:]
    return zipped(header[:148] + b"%06o\0 " % sum(blank) + header[156:] + TAR[512:])


# Damage below what checksums see: how it is wrapped, what is damaged, and what is sound.
BELOW = {
    "npz": ("some.npz", bytes, NPZ),
    "npz, compressed": ("some.npz", bytes, SQUEEZED),
    "an array's header": ("some.npz", npz_of, npy_file(GREY["train_images"])[:128]),
    "an array": ("some.npz", npz_of, npy_file(GREY["train_images"])),
    "tar.gz": ("some.tar.gz", bytes, zipped(TAR)),
    "a tar's header": ("some.tar.gz", tar_of, TAR[:512]),
    "idx": (f"{IDX_NAMES['train_images']}.gz", zipped, IMAGES[:64]),
}


@pytest.mark.parametrize(
    ("name", "wrap", "whole"),
    BELOW.values(),
    ids=BELOW,
)
def test_damage_that_no_checksum_sees_ends_in_no_other_exception(tmp_path, name, wrap, whole):
    path = write(tmp_path / "idx", SOUND["idx as .gz"].files) / name
    place = path.parent if "idx" in name else path
    refused = []

    def attempt(content: bytes) -> None:
        path.write_bytes(wrap(content))
        try:
            describe(str(place), "some", FRACTION)
        except UserError as error:
            refused.append(sentence(str(error)))

    each(damaged(whole), attempt)
    assert len(refused) > 20


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_a_damaged_image_is_refused_or_as_it_was(tmp_path, ending):
    for part in COUNTS:
        draw(tmp_path / part, 6 if part == "train" else 1, "RGB", ending)
    path = tmp_path / "train" / "ant" / f"0.{ending}"
    sound = describe(str(tmp_path), "zoo", FRACTION)["files"]
    refused = []

    def attempt(content: bytes) -> None:
        path.write_bytes(content)
        try:
            found = describe(str(tmp_path), "zoo", FRACTION)["files"]
        except UserError as error:
            refused.append(sentence(str(error)))
            return
        assert found == sound or ending == "jpg"  # which has no checksum

    each(damaged(path.read_bytes()), attempt)
    assert len(refused) > 20


def test_a_changed_pixel_in_a_tar_gz_is_no_other_dataset(tmp_path):
    path = tmp_path / "some.tar.gz"
    content = bytearray(zipped(TAR))
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"some.tar.gz .*damaged"):
        describe(str(path), "some", FRACTION)


# The commands.


@pytest.fixture
def added(command, configs):
    """A function that adds data as ``some`` and returns the dataset that its config describes."""

    def add(place: object) -> Dataset:
        code, said = command("data", "add", place, "--name", "some")
        assert code == 0, said
        assert str(configs / "some.yaml") in said
        return composed("some")

    return add


def sound_ones(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("sound", [SOUND[name] for name in names], ids=names)


def place_of(sound: Sound, folder: object) -> str:
    """Return what to add: the folder of IDX files, or the archive."""
    return str(folder) if sound.form == "idx" else f"{folder}/{sound.files['archive'][0]}"


@sound_ones("idx", "idx as .gz", "npz", "npz of colour, compressed", "cifar10", "cifar100")
def test_what_is_added_by_its_path_is_prepared(added, tmp_path, sound):
    folder = tmp_path / "own"
    folder.mkdir()
    for name, content in sound.files.values():
        (folder / name).write_bytes(content)
    assert_prepared(added(place_of(sound, folder)), sound.arrays)


@sound_ones("idx as .gz", "npz", "cifar10")
def test_what_is_added_by_its_address_is_read(added, server, sound):
    write(server.folder, sound.files)
    assert_read(added(place_of(sound, server.url("well"))), sound.arrays)


def test_idx_files_of_colour_are_added(added, tmp_path):
    sound = SOUND["idx of colour"]
    assert_read(added(write(tmp_path / "own", sound.files)), sound.arrays)


def test_a_name_is_given_once(command, configs, zoo):
    command("data", "add", zoo, "--name", "zoo")
    path = configs / "zoo.yaml"
    before = path.read_bytes()
    code, said = command("data", "add", zoo, "--name", "zoo", "--test-fraction", "0.5")
    assert code == 2
    assert sentence(said).startswith(f"error: {path} is there already: choose another --name")
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["digits", "mnist"])
def test_a_dataset_that_is_shipped_is_not_replaced(command, zoo, name):
    code, said = command("data", "add", zoo, "--name", name)
    assert code == 2
    assert "is there already" in sentence(said)


REFUSED = {
    "a path as name": (["{zoo}", "--name", "../zoo"], "--name ../zoo won't do: use letters"),
    "a hidden name": (["{zoo}", "--name", ".zoo"], "--name .zoo won't do: use letters"),
    "no name": (["{zoo}"], "--name"),
    "all for the test": (["{zoo}", "--name", "zoo", "--test-fraction", "1"], "--test-fraction"),
    "nothing": (["{zoo}/nowhere", "--name", "zoo"], "nowhere isn't there: give a folder"),
    "another format": (["{zoo}/ant/0.png", "--name", "zoo"], "0.png is none of the formats"),
    "a missing file": (["{url}/none.npz", "--name", "zoo"], "none.npz answers 404"),
    "nobody": (["http://127.0.0.1:9/a.npz", "--name", "zoo"], "a.npz can't be read"),
    "no address": (["http:///a.npz", "--name", "zoo"], "a.npz can't be read"),
}


@pytest.mark.parametrize(("arguments", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_added_is_refused_in_a_sentence(
    command, configs, server, zoo, arguments, words
):
    before = sorted(configs.iterdir())
    named = [argument.format(zoo=zoo, url=server.url("well")) for argument in arguments]
    code, said = command("data", "add", *named)
    assert code == 2
    assert sentence(said).startswith("error: ")
    assert words in said
    assert sorted(configs.iterdir()) == before


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("{cut}", id="broken off"),
        pytest.param(
            f"http://{'x' * 64}/some.npz",
            id="a name too long",
        ),
    ],
)
def test_a_bad_address_is_refused_in_a_sentence(command, server, address):
    write(server.folder, SOUND["npz"].files)
    place = address.format(cut=f"{server.url('cut')}/some.npz")
    code, said = command("data", "add", place, "--name", "some")
    assert code == 2
    assert place in sentence(said)


def test_what_is_compressed_on_the_way_is_added(added, server):
    write(server.folder, SOUND["npz"].files)
    assert_read(added(f"{server.url('encoding')}/some.npz"), GREY)


def test_a_damaged_cifar10_is_refused_for_what_is_wrong(command, tmp_path):
    path = tmp_path / "some.tar.gz"
    path.write_bytes(zipped(tar_file({**TEN, FIRST: TEN[FIRST][:-1]})))
    code, said = command("data", "add", path, "--name", "some")
    assert code == 2
    assert "data_batch_1.bin has 15364 bytes" in said


def archived(**instead: object) -> Callable[[Path], Path]:
    def put(folder: Path) -> Path:
        (folder / "some.npz").write_bytes(npz_file(GREY, **instead))
        return folder / "some.npz"

    return put


def spaced(folder: Path) -> Path:
    (folder / "my data.npz").write_bytes(NPZ)
    return folder / "my data.npz"


def called(name: str) -> Callable[[Path], Path]:
    def draw_so(folder: Path) -> Path:
        draw(folder / "zoo", 12)
        (folder / "zoo" / "ant").rename(folder / "zoo" / name)
        return folder / "zoo"

    return draw_so


def few(folder: Path) -> Path:
    return draw(folder / "zoo", 4)


ODD = {
    "sound": (archived(), "some"),
    "a name with a dot": (archived(), "v1.2"),
    "folders called in letters of all kinds": (called("ameise-\N{BUG} [x]: #1"), "some"),
    "a file's name with a space": (spaced, "some"),
    "a name that is a number": (archived(), "2024"),
    "a name that is null": (archived(), "null"),
    "a name that ends as a file's": (archived(), "a.yaml"),
    "one class": (
        archived(y_train=np.zeros(25, int), y_test=np.zeros(8, int)),
        "some",
    ),
    "a label too few": (archived(y_train=GREY["train_labels"][1:]), "some"),
    "test images of another size": (
        archived(x_test=np.ones((8, 3, 3), np.uint8)),
        "some",
    ),
    "a class in the test set alone": (archived(y_test=np.full(8, 3)), "some"),
    "a folder called 1e5": (called("1e5"), "some"),
    "a folder called as a variable": (called("${oc.env:HOME}"), "some"),
    "too few to hold some out": (few, "some"),
}


@pytest.mark.parametrize(
    ("put", "name"),
    ODD.values(),
    ids=ODD,
)
def test_what_is_added_can_be_used_or_nothing_is_added(command, configs, tmp_path, put, name):
    place = put(tmp_path)
    code, said = command("data", "add", place, "--name", name)
    path = configs / f"{name}.yaml"
    if code:
        assert sentence(said).startswith("error: ")
        assert not path.exists()
        return
    own = composed(name)
    check_images(own)
    prepare(own, "channels_last")
    if place.is_dir():
        assert own.class_names == sorted(folder.name for folder in place.iterdir())


def test_data_are_added_where_there_are_no_configs_yet(command, zoo, tmp_path, monkeypatch):
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(tmp_path / "installed"))
    (tmp_path / "installed").mkdir()
    code, said = command("data", "add", zoo, "--name", "zoo")
    assert code == 0 or sentence(said).startswith("error: ")


def duplicated() -> Arrays:
    """Return images of which some are there twice, and one that almost is."""
    arrays = {role: array.copy() for role, array in GREY.items()}
    train, test = arrays["train_images"], arrays["test_images"]
    train[[7, 8]] = train[3]
    test[[1, 5]] = train[3]
    arrays["train_labels"][[3, 7, 8]] = 0, 1, 0
    arrays["test_labels"][[1, 5]] = 0
    test[6] = train[4]
    test[6, 0, 0] ^= 1
    test[[2, 3]] = test[0]  # twice in the test set alone, where it tells nothing of the other
    arrays["test_labels"][[0, 2, 3]] = 2
    return arrays


@pytest.mark.parametrize("sound", ["npz", "idx"])
def test_a_check_counts_what_is_there_twice(command, added, tmp_path, sound):
    arrays = duplicated()
    files = archive(npz_file(arrays)) if sound == "npz" else idx_files(arrays)
    own = added(place_of(Sound(sound, arrays, files), write(tmp_path / "own", files)))
    checked = check_images(own)
    assert checked.leaked == [1, 5]
    assert checked.near == [(6, 4)]
    code, said = command("data", "check", "some")
    assert code == 0
    assert "\n2 test images are among the training images, pixel by pixel.\n" in said
    assert "\n1 more are nearly the same as one: 6 (4), the training image" in said
    assert "\n2 training images are there more than once.\n" in said
    assert "\n1 images are there with several labels.\n" in said
    assert "5x4x1" in said
    for label in range(CLASSES):
        train, test = (int((arrays[f"{part}_labels"] == label).sum()) for part in COUNTS)
        assert re.search(rf"│ {label} +│ {train} +│ {test} +│", said)


def test_a_check_finds_nothing_where_there_is_nothing(command, zoo):
    command("data", "add", zoo, "--name", "zoo", "--test-fraction", FRACTION)
    _, said = command("data", "check", "zoo")
    assert said.count("\n0 ") == 4
    assert re.search("│ ant +│ 9 +│ 3 +│", said)


def test_a_copy_in_another_folder_is_found(command, tmp_path):
    for part in COUNTS:
        draw(tmp_path / "zoo" / part, 12 if part == "train" else 2)  # the first two of each
    picture(0, 99).save(tmp_path / "zoo" / "test" / "ant" / "0.png")
    command("data", "add", tmp_path / "zoo", "--name", "zoo")
    _, said = command("data", "check", "zoo")
    assert "\n5 test images are among the training images" in said


def test_the_digits_leak_nothing(command):
    code, said = command("data", "check", "digits")
    assert code == 0
    assert "\n0 test images are among the training images" in said


def test_a_check_draws_samples(command, zoo, tmp_path):
    command("data", "add", zoo, "--name", "zoo")
    code, said = command("data", "check", "zoo", "--samples", tmp_path / "samples.png")
    assert code == 0
    assert said.endswith(f"{tmp_path / 'samples.png'}\n")
    with Image.open(tmp_path / "samples.png") as image:
        assert np.asarray(image.convert("L")).std() > 10


def test_samples_in_no_folder_are_drawn_or_refused(command, zoo, tmp_path):
    command("data", "add", zoo, "--name", "zoo")
    path = tmp_path / "nowhere" / "samples.png"
    code, said = command("data", "check", "zoo", "--samples", path)
    assert path.exists() if code == 0 else sentence(said).startswith("error: ")


def test_a_check_of_nothing_is_refused(command):
    code, said = command("data", "check", "digit")
    assert code == 2
    assert "dataset=digit is unknown (did you mean digits" in sentence(said)


def test_a_check_says_what_contradicts_the_config(command, configs, zoo):
    command("data", "add", zoo, "--name", "zoo")
    path = configs / "zoo.yaml"
    path.write_text(path.read_text().replace("image_shape: [5, 4]", "image_shape: [4, 5]"))
    code, said = command("data", "check", "zoo")
    assert code == 2
    assert "train images are (5, 4) pixels, its config says image_shape: [4, 5]" in sentence(said)
