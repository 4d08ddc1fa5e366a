"""Evidence is written to the same bytes by each version of Python and NumPy."""

import pytest

from sidebyside.storage.evidence_files import read_evidence, write_evidence
from support.projects import SOURCE


@pytest.mark.parametrize("study", ["mnist/published_split20", "mnist5k/factorial"])
def test_committed_evidence_is_written_as_it_was(study, tmp_path):
    path = SOURCE / "reports" / study / "evidence.npz"
    write_evidence(tmp_path / path.name, read_evidence(path))
    assert (tmp_path / path.name).read_bytes() == path.read_bytes()
