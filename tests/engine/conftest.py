"""Tests of the engine compute with TensorFlow in the test process."""

import pytest


@pytest.fixture(autouse=True)
def _fixed(one_thread: None) -> None:
    """Fix TensorFlow, see ``one_thread``."""
