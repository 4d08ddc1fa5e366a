"""Test images that are among the training images: found, kept in the evidence, told."""

import json
from dataclasses import replace

import numpy as np
import pytest
from pydantic import TypeAdapter

from sidebyside.config.datasets import Dataset
from sidebyside.data.adding import describe
from sidebyside.data.checking import check_images
from sidebyside.report.cautions import leaked
from sidebyside.storage.evidence_files import read_evidence, write_evidence


def test_they_are_told_from_the_evidence_alone(committed_factorial, tmp_path):
    assert leaked(committed_factorial) == []
    evidence = replace(committed_factorial, leaked=np.array([3, 14], np.int32))
    write_evidence(tmp_path / "evidence.npz", evidence)
    (sentence,) = leaked(read_evidence(tmp_path / "evidence.npz"))
    assert sentence.startswith("2 of the 10000 test images are among the training images too")
    assert "flatter by up to 0.02 points" in sentence


@pytest.fixture
def doubtful(tmp_path, monkeypatch) -> Dataset:
    """Colour images, one of the test the same as one for training and one nearly so."""
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(tmp_path))
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(tmp_path))
    generator = np.random.default_rng(0)
    train = generator.integers(0, 256, (20, 6, 5, 3), np.uint8)
    test = generator.integers(0, 256, (8, 6, 5, 3), np.uint8)
    test[2], test[5] = train[7], np.clip(train[11].astype(int) + 3, 0, 255)
    train[19], labels = train[0], np.arange(20) % 3
    own = {"x_train": train, "y_train": labels, "x_test": test, "y_test": np.arange(8) % 3}
    np.savez(tmp_path / "own.npz", **own)
    content = describe(str(tmp_path / "own.npz"), "own", 0.2).content
    return TypeAdapter(Dataset).validate_json(json.dumps(content))


def test_what_is_odd_about_a_dataset_is_found(doubtful):
    checked = check_images(doubtful)
    assert checked.leaked == [2]
    assert checked.near == [(5, 11)]
    assert checked.repeated == 1
    assert checked.contradicted == 2  # the one in the test set, and the repeated one
