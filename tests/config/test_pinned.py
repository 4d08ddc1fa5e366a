"""Presets against the published table."""

import shutil
from contextlib import nullcontext

import pytest
import yaml

from sidebyside import UserError
from sidebyside.config.compose import compose_config
from sidebyside.config.pinned import refuse_pinned, unused_parameters
from sidebyside.config.validate import check
from sidebyside.engine.blocks import Conv, Dense, Dropout, Flatten, Pool
from sidebyside.engine.training.shapes import layer_shapes
from support.projects import SOURCE

TABLE = yaml.safe_load(
    (SOURCE / "src" / "sidebyside" / "analysis" / "published" / "published.yaml").read_text()
)
RECIPES = TABLE["recipes"]

# Two more readings of the recipe whose page contradicts itself.
RECIPES["adam_5x5_no_dropout"] = RECIPES["adam_5x5_single_conv"] | {
    "layers": ["conv 32@5x5", "pool", "flatten", "dense 128 relu", "dense 10"],
}
RECIPES["adam_5x5_code_listing"] = RECIPES["adam_5x5_single_conv"] | {
    "layers": [
        "conv 32@5x5",
        "conv 64@5x5",
        "pool",
        "dropout 0.25",
        "flatten",
        "dense 128 relu",
        "dropout 0.5",
        "dense 10",
    ],
    "params": None,
}


def described(layer) -> str:
    """Return a layer in the words of the table."""
    match layer.block:
        case Conv() as block:
            assert (block.padding, block.activation) == ("valid", "relu")
            return f"conv {block.filters}@{block.kernel_size}x{block.kernel_size}"
        case Pool() as block:
            assert block.size == 2
            return "pool"
        case Dropout() as block:
            return f"dropout {block.rate}"
        case Flatten():
            return "flatten"
        case Dense() as block:
            return f"dense {block.units}" + ("" if layer.name == "output" else " relu")


def test_every_recipe_has_its_preset():
    presets = {path.stem for path in (SOURCE / "conf" / "preset").glob("*.yaml")}
    assert presets == set(RECIPES)
    for study in ("published", "published_clean"):
        content = (SOURCE / "conf" / "study" / f"{study}.yaml").read_text()
        (swept,) = [line for line in content.splitlines() if "preset: " in line]
        assert set(swept.partition(": ")[2].split(",")) == presets


def test_the_readings_of_a_recipe_are_presets():
    assert set(TABLE["readings"]["adam_5x5_single_conv"]) < set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_a_preset_is_its_recipe(compose, name):
    recipe = RECIPES[name]
    config = check(compose("dataset=mnist", f"preset={name}"))
    layers = layer_shapes(config.model, (28, 28, 1), 10)
    assert [described(layer) for layer in layers] == recipe["layers"]
    assert config.preset.name == name
    assert config.data_format == recipe.get("data_format", "channels_last")
    assert config.protocol == recipe["protocol"]
    assert config.training.batch_size == recipe["batch_size"]
    assert config.training.epochs == recipe["epochs"]
    optimizer = "Adadelta" if recipe["optimizer"].startswith("Adadelta") else "Adam"
    assert config.optimizer["_target_"] == f"keras.optimizers.{optimizer}"
    assert config.optimizer["learning_rate"] == (1.0 if optimizer == "Adadelta" else 0.001)
    initializer = {"normal": "random_normal"}.get(recipe.get("kernel_initializer"))
    assert config.model.kernel_initializer == (initializer or "glorot_uniform")
    counts = [layer.parameters for layer in layers if layer.parameters]
    assert recipe.get("params") in (None, sum(counts))
    assert recipe.get("params_by_layer") in (None, counts)


@pytest.mark.parametrize(
    ("preset", "override", "pinned"),
    [
        ("larger_cnn", "training.epochs=1", True),
        ("larger_cnn", "model.dropout=false", True),  # by the group that it pins
        ("mlp_784", "optimizer=sgd", True),
        ("mlp_784", "~optimizer", True),
        ("mlp_784", "protocol=clean", True),
        ("mlp_784", "+model.kernel_initializer=zeros", True),
        ("mlp_784", "seed=3", False),
        ("mlp_784", "training.threads=2", False),
    ],
)
def test_what_a_recipe_pins_is_not_changed_by_hand(preset, override, pinned):
    refused = pytest.raises(UserError, match=f"can't be set on top of preset={preset}")
    with refused if pinned else nullcontext():
        refuse_pinned([preset], [f"preset={preset}", override])


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (["preset=larger_cnn", "training.epochs=1"], "training.epochs"),
        (["-m", "preset=larger_cnn,mlp_784", "optimizer=sgd"], "optimizer"),
        (["-m", "study=published", "protocol=clean"], "protocol"),
    ],
)
def test_the_script_says_what_a_recipe_pins(run_script, arguments, key):
    done = run_script("train", *arguments)
    assert done.returncode == 2, done.stderr
    assert f"{key} can't be set on top of preset=" in done.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("preset: {name: mlp_784}\n", "calls its preset mlp_784, by which no command finds it"),
        ("preset: {}\n", "calls its preset None"),
        ("training: {epochs: 2}\npreset: {name: mine}\n", None),
    ],
)
def test_a_preset_of_ones_own_has_the_name_of_its_file(tmp_path, monkeypatch, content, said):
    (tmp_path / "params.yaml").symlink_to(SOURCE / "params.yaml")
    shutil.copytree(SOURCE / "conf", tmp_path / "conf")
    (tmp_path / "conf" / "preset" / "mine.yaml").write_text(f"# @package _global_\n{content}")
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(tmp_path))
    if said is None:
        assert compose_config(["preset=mine"]).training.epochs == 2
        said = "training.epochs can't be set on top of preset=mine"
    with pytest.raises(UserError, match=said):
        compose_config(["preset=mine", "training.epochs=3"])


@pytest.mark.slow
def test_a_run_of_a_preset_is_tagged_with_its_protocol(run_script, home):
    import mlflow

    done = run_script("train", "preset=mlp_784")
    assert done.returncode == 0, done.stderr
    assert "protocol test_as_validation" in done.stdout
    (run,) = mlflow.MlflowClient(f"sqlite:///{home / 'mlflow.db'}").search_runs(["1"])
    assert run.data.tags["protocol"] == "test_as_validation"
    # The validation images are the test images, so both errors are the same.
    assert 100 * (1 - run.data.metrics["val_accuracy"]) == pytest.approx(
        run.data.metrics["test_error"], abs=1e-3
    )


def test_a_study_says_which_parameters_it_does_not_use(compose):
    fashion = compose("study=fashion")
    assert unused_parameters(fashion, ["study=fashion"]) == (
        "study=fashion sets training.epochs=5 (3 in params.yaml isn't used), "
        "training.seeds=5 (2 in params.yaml isn't used)"
    )
    by_hand = ["study=fashion", "training.epochs=1", "++training.seeds=3"]
    assert unused_parameters(compose(*by_hand), by_hand) is None
    assert unused_parameters(compose("study=factorial"), ["study=factorial"]) is None
