"""States of an unfinished training on disk: the newest undamaged one counts."""

from dataclasses import replace

import numpy as np
import pytest

from sidebyside.engine.training.fit import State
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
