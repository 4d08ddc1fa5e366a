"""The run key: what decides a result is in it, and DVC watches the same sources."""

import pytest
import yaml

from conftest import SOURCE
from sidebyside.config.validate import check
from sidebyside.data.prepare import prepare
from sidebyside.execution import evaluate
from sidebyside.storage import keys


def key(compose, *overrides: str) -> str:
    config = check(compose(*overrides))
    arrays = prepare(config.dataset, config.data_format)
    return keys.run_key(keys.identity(config, arrays))


@pytest.mark.parametrize(
    "override",
    [
        "seed=1",
        "data_format=channels_first",
        "model.kernel_size=5",
        "model.dropout=false",
        "optimizer.learning_rate=0.002",
        "+optimizer.beta_1=0.8",
        "training.epochs=4",
        "training.batch_size=64",
        "training.threads=2",
    ],
)
def test_what_decides_a_result_changes_the_key(compose, override):
    assert key(compose, override) != key(compose)


@pytest.mark.parametrize(
    "override", ["training.seeds=9", "evaluate=false", "tracking.experiment=other", "seed=0"]
)
def test_what_changes_no_result_keeps_the_key(compose, override):
    assert key(compose, override) == key(compose)


def test_onednn_changes_the_key(compose, monkeypatch):
    before = key(compose)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert key(compose) != before


def test_dvc_watches_the_sources_that_decide():
    stages = yaml.safe_load((SOURCE / "dvc.yaml").read_text())["stages"]
    for stage, deciding in (("train", keys.DECIDING), ("evaluate", evaluate.DECIDING)):
        expected = {f"src/sidebyside/{name}.py" for name in deciding}
        assert expected <= set(stages[stage]["deps"])
    for stage in stages.values():
        for path in stage["deps"]:
            if path.startswith(("src/", "pipelines/", "conf/")):
                assert (SOURCE / path).exists()
