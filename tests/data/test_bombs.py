"""Small files that would fill the memory: refused, or read within bounds.

They are opened in a process of its own, python tests/test_bombs.py FOLDER, which says how much
memory each took.
"""

import gzip
import hashlib
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sidebyside import UserError
from sidebyside.config.datasets import ROLES, Dataset, File
from sidebyside.data.download import download
from sidebyside.data.image_files import read_images
from sidebyside.data.preprocessing import idx
from sidebyside.storage.evidence_files import read_evidence

HUGE = 4 * 2**30  # bytes that each bomb stands for
MEMORY = Path("/proc/self/status")
# What is given, what is said of it, and how much memory it may take, MiB.
EXPECTED = [
    ("bomb", "decompresses to more than the 8388608 bytes expected", 100),
    ("tail", "serves more than the", 100),
    ("plain", "serves wrong bytes", 100),
    ("honest.npz", "can't be read as evidence", 100),
    ("lying.npz", "can't be read as evidence", 100),
    ("beyond.png", "has more than 40 million pixels", 100),
    ("tiny", "holds 2600000 images", 150),
    ("within.png", "is read", 500),
]
WHOLE = idx.serialise(np.zeros(1000, np.uint8))


def deflated(size: int) -> bytes:
    """Return ``size`` zeros as a deflate stream, made of copies of one block."""
    block = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    zeros = 2**24
    one = block.compress(bytes(zeros)) + block.flush(zlib.Z_FULL_FLUSH)
    return one * (size // zeros) + block.flush()


def gzip_files(folder: Path) -> None:
    """Write a mirror: one file bursts, one has a long tail, one is too long, one is good."""
    head = gzip.compress(b"")[:10]
    (folder / "bomb.gz").write_bytes(head + deflated(HUGE))
    for name, content in (("tail.gz", gzip.compress(WHOLE)), ("plain", WHOLE)):
        (folder / name).write_bytes(content)
        os.truncate(folder / name, HUGE)  # sparse: it takes no room
    (folder / "whole.gz").write_bytes(gzip.compress(WHOLE))


def zip_file(path: Path, claimed: int) -> None:
    """Write an NPZ file whose only array is huge; its size is given as ``claimed``."""
    data, name = deflated(HUGE), b"target.npy"
    sizes = struct.pack("<LLL", 0, len(data), claimed)  # checksum, packed, unpacked
    entry = struct.pack("<HHHHH", 20, 0, 8, 0, 0)[:10]
    local = b"PK\3\4" + entry + sizes + struct.pack("<HH", len(name), 0) + name
    central = b"PK\1\2" + struct.pack("<H", 20) + entry + sizes
    central += struct.pack("<HHHHHLL", len(name), 0, 0, 0, 0, 0, 0) + name
    end = struct.pack("<HHHHLLH", 0, 0, 1, 1, len(central), len(local) + len(data), 0)
    path.write_bytes(local + data + central + b"PK\5\6" + end)


def pictures(folder: Path) -> None:
    """Write a picture just within the limit, one beyond it, and a file of tiny images."""
    for name, side in (("within.png", 6_300), ("beyond.png", 8_000)):
        picture = Image.new("L", (side, side), 255)
        ImageDraw.Draw(picture).line([(side // 2, 500), (side // 2, side - 500)], 0, side // 14)
        picture.save(folder / name, compress_level=1)
    tiny = struct.pack(">4B3I", 0, 0, 8, 3, 2_600_000, 5, 5)
    (folder / "tiny").write_bytes(tiny + bytes([255]) * (2_600_000 * 25))


@pytest.fixture
def bombs(tmp_path):
    """A folder of bombs."""
    folder = tmp_path / "bombs"
    folder.mkdir()
    gzip_files(folder)
    zip_file(folder / "honest.npz", HUGE - 1)
    zip_file(folder / "lying.npz", 1000)
    pictures(folder)
    return folder


@pytest.mark.slow
@pytest.mark.skipif(not MEMORY.exists(), reason="looks into /proc")
def test_memory_stays_bounded(bombs, tmp_path):
    done = subprocess.run(
        [sys.executable, __file__, str(bombs)],
        env=os.environ | {"SIDEBYSIDE_ROOT": str(tmp_path), "SIDEBYSIDE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for line, (name, words, bound) in zip(done.stdout.splitlines(), EXPECTED, strict=True):
        given, taken, said = line.split(" ", 2)
        assert given == name
        assert words in said
        assert int(taken) < bound, line


def memory(entry: str) -> int:
    """Return VmRSS, the memory that this process has, or VmHWM, the most it had, in MiB."""
    (line,) = [line for line in MEMORY.read_text().splitlines() if line.startswith(entry)]
    return int(line.split()[1]) // 1024


def attempt(name, read, *arguments) -> None:
    """Print how much memory it takes to read something, and why it is refused."""
    Path("/proc/self/clear_refs").write_text("5")  # the most it had is what it has
    before = memory("VmRSS")
    try:
        read(*arguments)
        said = "is read"
    except UserError as error:
        said = " ".join(str(error).split())
    print(name, memory("VmHWM") - before, said)


def main(folder: Path) -> None:
    """Open everything in a folder of bombs."""
    good = File(name="whole", bytes=len(WHOLE), sha256=hashlib.sha256(WHOLE).hexdigest())
    for name, size in (("bomb", 2**23), ("tail", len(WHOLE)), ("plain", len(WHOLE))):
        first = File(name=name, bytes=size, sha256=good.sha256)
        files = dict.fromkeys(ROLES["idx"], good) | {"train_images": first}
        attempt(name, download, Dataset("d", [2, 2], 2, files, [str(folder)]))
    for name in ("honest.npz", "lying.npz"):
        attempt(name, read_evidence, folder / name)
    for name in ("beyond.png", "tiny", "within.png"):
        attempt(name, read_images, folder / name, (28, 28, 1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
