"""Damaged and hostile files for every reader: fuzzing.py idx|image|evidence FOLDER.

Run by test_fuzz.py in a process of its own, whose memory is limited.
"""

import io
import resource
import sys
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from sidebyside.data.image_files import read_images
from sidebyside.data.preprocessing import idx
from sidebyside.errors import UserError
from sidebyside.storage.evidence import Ensemble, Evidence, RunEvidence
from sidebyside.storage.evidence_files import read_evidence, write_evidence

CASES = 5_000
MEMORY = 3 * 2**30  # bytes of address space, most of it that of shared libraries

FOLDER = Path(sys.argv[2])


def damaged(wholes: list[bytes]):
    """Return a strategy for valid files with bytes changed, cut out, put in; and for any bytes."""
    edit = st.tuples(
        st.floats(0, 1), st.integers(0, 8), st.binary(max_size=8)
    )  # where, how many to drop, what to put there

    def apply(whole: bytes, edits: list[tuple[float, int, bytes]], keep: float) -> bytes:
        for where, drop, put in edits:
            at = int(where * len(whole))
            whole = whole[:at] + put + whole[at + drop :]
        return whole[: int(keep * len(whole))] if keep < 0.9 else whole

    mutated = st.builds(apply, st.sampled_from(wholes), st.lists(edit, max_size=6), st.floats(0, 1))
    return mutated | st.binary(max_size=200)


def pictures() -> list[bytes]:
    """Return small valid pictures in several modes."""
    wholes = [idx.serialise(np.arange(2 * 28 * 28).reshape(2, 28, 28) % 256)]
    pixels = np.zeros((40, 30), np.uint8)
    pixels[5:35, 12:16] = 255
    for mode, form in (("L", "PNG"), ("P", "PNG"), ("1", "PNG"), ("RGB", "JPEG"), ("CMYK", "JPEG")):
        stream = io.BytesIO()
        Image.fromarray(pixels).convert(mode).save(stream, form)
        wholes.append(stream.getvalue())
    return wholes


def evidence() -> bytes:
    """Return a small valid evidence file."""
    target = np.arange(50, dtype=np.uint8) % 10
    run = RunEvidence(
        key="0",
        variant="a=1",
        factors={"a": 1},
        seed=0,
        identity={"recipe": {"protocol": "clean"}},
        parameters=1,
        weights_digest="0",
        history={"loss": [0.1], "accuracy": [0.9]},
        test_loss=0.1,
        layout=None,
        predicted=target,
        certainty=target.astype(np.float16),
    )
    images = np.zeros((2, 4, 4), np.uint8)
    whole = Evidence(
        dataset="d",
        study="s",
        runs=[run],
        target=target,
        samples=images,
        sample_labels=target[:2],
        missing=[],
        ensembles=[Ensemble("a=1", ("0",), target)],
        gallery_index=np.arange(2, dtype=np.int32),
        gallery=images,
    )
    write_evidence(FOLDER / "whole.npz", whole)
    return (FOLDER / "whole.npz").read_bytes()


def read_idx(content: bytes) -> None:
    idx.parse(content, "it", dimensions=3)


def read_image(content: bytes) -> None:
    (FOLDER / "image").write_bytes(content)
    read_images(FOLDER / "image", (28, 28, 1))


def read_npz(content: bytes) -> None:
    (FOLDER / "evidence.npz").write_bytes(content)
    read_evidence(FOLDER / "evidence.npz")


def main() -> None:
    """Read all cases and say how many were refused."""
    read, wholes = {
        "idx": (read_idx, lambda: pictures()[:1]),
        "image": (read_image, pictures),
        "evidence": (read_npz, lambda: [evidence()]),
    }[sys.argv[1]]
    refused = []
    cases = damaged(wholes())
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    @settings(
        max_examples=CASES,
        deadline=5_000,  # milliseconds for one case
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(cases)
    def no_case_does_harm(content: bytes) -> None:
        try:
            read(content)
        except UserError as error:
            refused.append(str(error))

    no_case_does_harm()
    print(len(refused))


if __name__ == "__main__":
    main()
