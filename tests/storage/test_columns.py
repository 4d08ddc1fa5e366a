"""Evidence of very many runs: mapped, not read, and as careful as that of few."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from sidebyside.errors import UserError
from sidebyside.storage import columns, evidence_files
from sidebyside.storage.evidence_files import read_evidence, write_evidence
from support.generated import FACTORS, evidence
from support.projects import SOURCE

_TOO_LARGE = """
import resource, signal, sys
from pathlib import Path
from sidebyside.storage.evidence_files import read_evidence, write_evidence
evidence = read_evidence(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
write_evidence(Path(sys.argv[2]), evidence)
"""


@pytest.fixture
def many(monkeypatch):
    """A study that counts as one of very many runs."""
    monkeypatch.setattr(evidence_files, "MOST_COMPRESSED", 50)
    monkeypatch.setattr(columns, "_LARGE", 10_000)
    return evidence(FACTORS[20], images=300)


def test_what_is_written_is_read(many, tmp_path):
    write_evidence(tmp_path / "one.npz", many)
    write_evidence(tmp_path / "other.npz", many)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "other.npz").read_bytes()
    back = read_evidence(tmp_path / "one.npz")
    for own, read in zip(many.runs, back.runs, strict=True):
        for name in ("predicted", "certainty"):
            assert (getattr(own, name) == getattr(read, name)).all()
        nothing = np.zeros(0)
        assert replace(own, predicted=nothing, certainty=nothing) == replace(
            read, predicted=nothing, certainty=nothing
        )
    with np.load(tmp_path / "one.npz", allow_pickle=False) as plain:
        assert (plain["predicted"] == [run.predicted for run in many.runs]).all()


def test_whoever_has_the_file_of_before_keeps_it(many, tmp_path):
    path = tmp_path / "evidence.npz"
    write_evidence(path, many)
    before = read_evidence(path)
    turned = [replace(run, predicted=9 - run.predicted) for run in many.runs]
    write_evidence(path, replace(many, runs=turned))
    assert (before.runs[3].predicted == many.runs[3].predicted).all()
    assert (read_evidence(path).runs[3].predicted == turned[3].predicted).all()


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_damage_is_seen(many, tmp_path, share):
    path = tmp_path / "evidence.npz"
    write_evidence(path, many)
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="can't be read as evidence"):
        read_evidence(path)
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(UserError, match="can't be read as evidence"):
        read_evidence(path)


def test_evidence_that_can_not_be_written_leaves_what_is_there(tmp_path):
    path = tmp_path / "evidence.npz"
    path.write_bytes(b"of before")
    there = SOURCE / "reports" / "mnist5k" / "factorial" / "evidence.npz"
    command = [sys.executable, "-c", _TOO_LARGE, str(there), str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert "File too large" in done.stderr
    assert path.read_bytes() == b"of before"
