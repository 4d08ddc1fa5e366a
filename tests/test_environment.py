"""What processes that are started later take from the environment."""

import os

import pytest

from sidebyside.environment import gpus_chosen, has_gpu, set_environment


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    for name in ("SIDEBYSIDE_GPUS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, "")  # so that what is set here is unset afterwards
        monkeypatch.delenv(name)


@pytest.mark.parametrize("chosen", [None, "1,0", "", "-1"])
def test_gpus_are_hidden_and_those_chosen_are_kept(monkeypatch, chosen):
    if chosen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    for _ in range(2):  # as in a process of a process
        set_environment()
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "-1"
        assert gpus_chosen() == chosen
    assert not has_gpu()
