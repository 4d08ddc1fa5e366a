"""What runs did on the test set: stored, found and refused."""

import numpy as np
import pytest

from sidebyside.storage import evaluations
from sidebyside.storage.store import DamagedError

KEY = "0123456789abcdef"
FIGURES = {
    "test_error": 50.0,
    "test_loss": 0.7,
    "error_per_class": [0.0, 100.0],
    "confusion": [[1, 0], [1, 0]],
    "layout": None,
}
ARRAYS = {
    "probabilities": np.array([[0.9, 0.1], [0.6, 0.4]], "float32"),
    "predicted": np.array([0, 0], "uint8"),
}


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """An evaluation in a run store of its own."""
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(tmp_path))
    assert not evaluations.is_evaluated(KEY)
    assert evaluations.find_evaluation(KEY) is None
    return evaluations.save_evaluation(KEY, "a basis", FIGURES, ARRAYS)


def test_what_is_saved_is_found(saved):
    assert evaluations.is_evaluated(KEY)
    assert evaluations.find_evaluation(KEY) == evaluations.stored_evaluation(KEY) == saved
    assert (saved.key, saved.basis, saved.test_error) == (KEY, "a basis", 50)
    for name, array in ARRAYS.items():
        assert saved.read(name).dtype == array.dtype
        np.testing.assert_array_equal(saved.read(name), array)


def test_a_later_one_takes_its_place(saved):
    evaluations.save_evaluation(KEY, "another", FIGURES | {"test_error": 0.0}, ARRAYS)
    later = evaluations.stored_evaluation(KEY)
    assert (later.basis, later.test_error) == ("another", 0)


@pytest.mark.parametrize("name", ["evaluation.json", "predicted.npy", "probabilities.npy"])
def test_a_damaged_one_is_refused(saved, name):
    content = (saved.folder / name).read_bytes()
    (saved.folder / name).write_bytes(content[:-3])
    assert evaluations.is_evaluated(KEY)
    assert evaluations.find_evaluation(KEY) is None
    with pytest.raises(DamagedError, match="is missing or damaged"):
        evaluations.load_evaluation(saved.folder)
