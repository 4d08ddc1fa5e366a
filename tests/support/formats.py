"""Files of every format of raw data, written without the code under test, and their arrays."""

import gzip
import io
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sidebyside import compose
from sidebyside.config.datasets import Dataset, File
from sidebyside.data.download import download
from sidebyside.data.prepare import prepare, read_raw
from sidebyside.engine.recipe import DATA_FORMATS

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


# Files, written here as their formats have it.


def idx_file(array: np.ndarray) -> bytes:
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def idx_files(arrays: Arrays, ending: str = "", packed: Callable[[bytes], bytes] = bytes) -> Files:
    return {
        role: (IDX_NAMES[role] + ending, packed(idx_file(array))) for role, array in arrays.items()
    }


def zipped(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=1, mtime=0)


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


# Files that are damaged, or hold more than they seem to.


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


# Datasets, and the files that hold them.


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


# What they become.


def composed(name: str) -> Dataset:
    """Return a dataset of the workspace, with all of the config checked."""
    return compose(f"dataset={name}", "model=mlp", "training.batch_size=4").dataset


def place_of(sound: Sound, folder: object) -> str:
    """Return what to add: the folder of IDX files, or the archive."""
    return str(folder) if sound.form == "idx" else f"{folder}/{sound.files['archive'][0]}"


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
    assert message.strip() == message.strip().splitlines()[0], message
    return message
