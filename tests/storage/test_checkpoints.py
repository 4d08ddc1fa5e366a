"""States of an unfinished training on disk: the newest undamaged one counts."""

from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest

from sidebyside.engine.training.fit import State
from sidebyside.files import file_digest, read_json, write_json
from sidebyside.storage.checkpoints import load_checkpoint, save_checkpoint


def state_after(epochs: int) -> State:
    """Return a state whose variables tell the epoch."""
    history = {"loss": [1 / epoch for epoch in range(1, epochs + 1)]}
    variables = [np.full((2, 3), epochs, "float32"), np.array(epochs, "int64")]
    return State(history, [f"digest {epoch}" for epoch in range(epochs)], variables)


@pytest.fixture
def folder(tmp_path):
    """A folder to which three epochs were written."""
    folder = tmp_path / "checkpoints"
    for epochs in (1, 2, 3):
        save_checkpoint(folder, state_after(epochs), 10.0 * epochs)
    return folder


def test_the_newest_state_comes_back_as_it_was(folder):
    loaded = load_checkpoint(folder)
    assert loaded is not None
    state, seconds = loaded
    assert (state.epochs_done, seconds) == (3, 30)
    assert state.history == state_after(3).history
    assert state.digests == state_after(3).digests
    for stored, saved in zip(state.variables, state_after(3).variables, strict=True):
        assert stored.dtype == saved.dtype
        np.testing.assert_array_equal(stored, saved)


def test_two_states_are_kept(folder):
    names = sorted(path.name for path in folder.iterdir())
    assert names == [f"epoch-00000{n}.{suffix}" for n in (2, 3) for suffix in ("json", "npz")]


@pytest.mark.parametrize("damaged", ["epoch-000003.npz", "epoch-000003.json"])
def test_a_state_cut_short_falls_back_to_the_one_before(folder, damaged):
    content = (folder / damaged).read_bytes()
    (folder / damaged).write_bytes(content[: len(content) // 2])
    loaded = load_checkpoint(folder)
    assert loaded is not None
    assert loaded[0].epochs_done == 2


def test_without_a_state_there_is_nothing_to_load(folder, tmp_path):
    assert load_checkpoint(tmp_path / "none") is None
    for card in folder.glob("*.json"):
        card.unlink()
    assert load_checkpoint(folder) is None


def test_the_best_weights_come_back_beside_those_to_go_on_with(tmp_path):
    best = [np.full(3, 7, "float32")]
    state = replace(state_after(2), best=best)
    save_checkpoint(tmp_path / "checkpoints", state, 1.0)
    loaded, _ = load_checkpoint(tmp_path / "checkpoints")
    assert len(loaded.variables) == 2
    np.testing.assert_array_equal(loaded.best, best)


@pytest.fixture
def of_own_types():
    """A state whose variables have data types that NumPy's files don't know."""
    variables = [
        np.array([[1.5, -2], [0.25, 3]], ml_dtypes.bfloat16),
        np.array(0.5, ml_dtypes.float8_e5m2),
        np.array([True, False]),
    ]
    best = [np.array([4, 0.5], ml_dtypes.float8_e4m3fn)]
    return replace(state_after(2), variables=variables, best=best)


def test_data_types_that_numpy_does_not_store_come_back(of_own_types, tmp_path):
    save_checkpoint(tmp_path / "checkpoints", of_own_types, 1.0)
    loaded, _ = load_checkpoint(tmp_path / "checkpoints")
    pairs = [(loaded.variables, of_own_types.variables), (loaded.best, of_own_types.best)]
    for stored, saved in pairs:
        assert [own.dtype for own in stored] == [own.dtype for own in saved]
        for one, other in zip(stored, saved, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_state_of_before_data_types_were_named_is_gone_on_with(of_own_types, tmp_path):
    folder = tmp_path / "checkpoints"
    state = replace(of_own_types, variables=[np.ones(3, "float32"), of_own_types.variables[0]])
    save_checkpoint(folder, replace(state, best=[]), 1.0)
    path = folder / "epoch-000002.npz"
    np.savez(path, *state.variables)
    card = read_json(path.with_suffix(".json")) | {"sha256": file_digest(path)}
    card.pop("dtypes", None)
    write_json(path.with_suffix(".json"), card)
    loaded, _ = load_checkpoint(folder)
    for one, other in zip(loaded.variables, state.variables, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
