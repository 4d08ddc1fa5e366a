"""Which runs are held against published figures, and which of these they are beside."""

from dataclasses import replace

import numpy as np
import pytest

from sidebyside.analysis.published.holding import hold_against_published, published_table
from sidebyside.storage.evidence import Evidence, RunEvidence

RECIPES, READINGS = published_table()["recipes"], published_table()["readings"]
IMAGES = 10_000
TARGET = np.zeros(IMAGES, np.uint8)


@pytest.fixture(autouse=True)
def _no_other_evidence(tmp_path, monkeypatch):
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(tmp_path))


def run(preset, seed, error, protocol=None, factor="preset"):
    predicted = TARGET.copy()
    predicted[: round(error * IMAGES / 100)] = 1
    epochs = [0.9, 0.98]
    return RunEvidence(
        key=f"{preset}-{seed}",
        variant=f"{factor}={preset}",
        factors={factor: preset},
        seed=seed,
        identity={"recipe": {"protocol": protocol or RECIPES[preset]["protocol"]}},
        parameters=1,
        weights_digest="",
        history=dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy"), epochs),
        test_loss=0.04,
        layout=None,
        predicted=predicted,
        certainty=np.zeros(IMAGES, np.float16),
    )


def held(*runs):
    no_images = np.zeros((0, 28, 28), np.uint8)
    none = np.zeros(0, np.int32)
    evidence = Evidence(
        "mnist", "mine", list(runs), TARGET, no_images, TARGET[:0], [], [], none, no_images
    )
    return hold_against_published(evidence)


def replicate(preset, off=0.0, protocol=None):
    published = RECIPES.get(preset, RECIPES["adam_5x5_single_conv"])["test_error"]
    return [run(preset, seed, published + off + 0.03 * (seed - 1), protocol) for seed in range(3)]


def test_recipes_are_held_against_their_figures_in_the_order_of_the_table():
    published = held(*replicate("mlp_784", off=-0.5), *replicate("adadelta_3x3"))
    assert [recipe.name for recipe in published.recipes] == ["adadelta_3x3", "mlp_784"]
    assert [recipe.published for recipe in published.recipes] == [
        1.37,
        RECIPES["mlp_784"]["test_error"],
    ]
    assert published.recipes[0].errors == pytest.approx([1.34, 1.37, 1.40])
    verdicts = {name: verdict.verdict for name, verdict in published.verdicts.items()}
    assert verdicts == {"adadelta_3x3": "reproduced", "mlp_784": "published is worse"}


def test_readings_of_a_recipe_share_one_verdict():
    protocol = RECIPES["adam_5x5_single_conv"]["protocol"]
    readings = list(READINGS["adam_5x5_single_conv"])
    published = held(*(one for name in readings for one in replicate(name, protocol=protocol)))
    assert {recipe.preset for recipe in published.recipes} == set(readings)
    assert {recipe.name for recipe in published.recipes} == {"adam_5x5_single_conv"}
    assert published.verdicts.keys() == {"adam_5x5_single_conv"}


def test_a_recipe_that_is_trained_in_several_ways_is_held_against_nothing():
    runs = replicate("adadelta_3x3")
    assert held(*runs) is not None
    assert held(*(replace(one, factors=one.factors | {"order": "once"}) for one in runs))
    ways = [
        replace(one, factors=one.factors | {"order": order})
        for order in ("once", "each_epoch")
        for one in runs
    ]
    assert held(*ways) is None


def test_runs_of_anything_else_are_held_against_nothing():
    assert held(*replicate("adadelta_3x3"), *replicate("mlp_784", protocol="clean")) is None
    assert held(*replicate("adadelta_3x3"), run("mine", 0, 1.0, "clean")) is None
    assert held(run("3", 0, 1.0, "clean", factor="kernel_size")) is None
