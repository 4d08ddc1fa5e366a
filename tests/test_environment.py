"""What processes that are started later take from the environment."""

import os

import pytest

from sidebyside.environment import ONEDNN, gpus_chosen, has_gpu, is_x86, set_environment


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    for name in ("SIDEBYSIDE_GPUS", "CUDA_VISIBLE_DEVICES", ONEDNN):
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


@pytest.mark.parametrize("machine", ["x86_64", "AMD64", "aarch64"])
def test_onednn_is_on_where_it_can_be_whatever_the_processor(monkeypatch, machine):
    monkeypatch.setattr("platform.machine", lambda: machine)
    set_environment()
    assert os.environ.get(ONEDNN) == ("1" if is_x86() else None)
    assert is_x86() is (machine != "aarch64")


def test_onednn_that_is_switched_off_stays_off(monkeypatch):
    monkeypatch.setenv(ONEDNN, "0")
    set_environment()
    assert os.environ[ONEDNN] == "0"


@pytest.mark.parametrize(
    "name",
    [
        "TF_XLA_FLAGS",
        "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS",
        "TF_SET_ONEDNN_FPMATH_MODE",
        "ONEDNN_DEFAULT_FPMATH_MODE",
    ],
)
def test_what_would_change_bits_under_the_same_key_is_dropped(monkeypatch, name):
    monkeypatch.setenv(name, "1")
    set_environment()
    assert name not in os.environ
