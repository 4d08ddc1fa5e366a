"""Malformed and damaged files of every format: refused in a sentence, and never worse."""

import io
import pickle
import re
import shutil
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sidebyside import UserError
from sidebyside.data.adding import describe
from sidebyside.data.download import download
from sidebyside.data.prepare import prepare, read_raw
from support.formats import (
    CIFAR,
    CLASSES,
    COLOUR,
    COUNTS,
    FRACTION,
    GREY,
    IDX_NAMES,
    MEBI,
    SOUND,
    Files,
    announcing,
    archive,
    assert_prepared,
    assert_same,
    cifar10_members,
    cifar100_members,
    dataset,
    draw,
    entries_changed,
    every_format,
    gzip_of_zeros,
    idx_file,
    member,
    npy_file,
    npz_file,
    npz_of,
    of,
    sentence,
    spoiled,
    tar_file,
    tar_gz,
    write,
    zipped,
)

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
    "no images": (
        npz_file(GREY, x_test=np.zeros((0, 5, 4), np.uint8), y_test=np.zeros(0, np.uint8)),
        r"shape \(0, 5, 4\): \(N, height",
    ),
    "a single label": (npz_file(GREY, y_train=np.array(1)), r"shape \(\): \(N,\) or"),
    "labels of two columns": (
        npz_file(GREY, y_train=np.ones((25, 2), np.uint8)),
        r"shape \(25, 2\): \(N,\) or",
    ),
    "labels in one row": (
        npz_file(GREY, y_train=GREY["train_labels"][None]),
        r"shape \(1, 25\): \(N,\) or",
    ),
    "text in place of an array": (npz_of(b"5 x 4 pixels", "x_train"), r"shape \(\): \(N, height"),
    "encrypted": (entries_changed(NPZ, 8, b"\1"), WORDS),
    "damaged within what is deflated": (spoiled(SQUEEZED, 61), WORDS),
    "damaged within what LZMA packed": (
        spoiled(npz_of(npy_file(GREY["train_images"]), compression=zipfile.ZIP_LZMA), 50),
        WORDS,
    ),
    "a shape beyond all memory": (npz_of(announcing((10**14, 5, 4))), WORDS),
    "a shape beyond all numbers": (npz_of(announcing((10**30, 5, 4))), WORDS),
    "a shape without end": (npz_of(announcing("(" * 50)), WORDS),
    "a shape that is no number": (npz_of(announcing((True, True, True))), WORDS),
    "an array before the archive": (npy_file(GREY["train_images"]) + NPZ, WORDS),
}


@pytest.mark.parametrize(("content", "words"), MALFORMED_NPZ.values(), ids=MALFORMED_NPZ)
def test_a_malformed_npz_is_refused_in_a_sentence(workspace, tmp_path, content, words):
    message = refusal("npz", archive(content), (5, 4), tmp_path / "source")
    assert "some" in message.split()[0]  # the file or the dataset
    assert re.search(words, message)


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
    "no images, but huge": (
        zipped(b"\0\0\x08\3" + struct.pack(">3I", 0, 2**32 - 1, 2**32 - 1)),
        "holds nothing: its header announces",
    ),
}


@pytest.mark.parametrize(("content", "words"), MALFORMED_IDX_GZ.values(), ids=MALFORMED_IDX_GZ)
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
    with pytest.raises(UserError, match="training images of the classes, too few to hold"):
        prepare(replace(own, training_images=len(labels)), "channels_last")


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


BELOW = {
    "npz": ("some.npz", bytes, NPZ),
    "npz, compressed": ("some.npz", bytes, SQUEEZED),
    "an array's header": ("some.npz", npz_of, npy_file(GREY["train_images"])[:128]),
    "an array": ("some.npz", npz_of, npy_file(GREY["train_images"])),
    "tar.gz": ("some.tar.gz", bytes, zipped(TAR)),
    "a tar's header": ("some.tar.gz", tar_of, TAR[:512]),
    "idx": (f"{IDX_NAMES['train_images']}.gz", zipped, IMAGES[:64]),
}


@pytest.mark.parametrize(("name", "wrap", "whole"), BELOW.values(), ids=BELOW)
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
    sound = describe(str(tmp_path), "zoo", FRACTION).content["files"]
    refused = []

    def attempt(content: bytes) -> None:
        path.write_bytes(content)
        try:
            found = describe(str(tmp_path), "zoo", FRACTION).content["files"]
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
