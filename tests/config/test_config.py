"""Every shipped config passes its schema; what isn't allowed is refused by name."""

from dataclasses import replace

import pytest

from sidebyside import UserError
from sidebyside.config.validate import check
from support.projects import SOURCE

SHIPPED = [
    f"{group}={path.stem}"
    for group in ("dataset", "model", "optimizer", "training", "tracking", "store")
    for path in sorted((SOURCE / "conf" / group).glob("*.yaml"))
]


@pytest.mark.parametrize("choice", SHIPPED)
def test_every_shipped_config_is_valid(compose, choice, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://runs.example.org")  # for tracking=server
    group, name = choice.split("=")
    config = check(compose(choice))
    if group in ("dataset", "model"):
        assert getattr(config, group).name == name


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.epochs=0", "training.epochs=0"),
        ("training.epochs=2.5", "training.epochs=2.5"),
        ("training.threads=0", "training.threads=0"),
        ("seed=-1", "seed=-1"),
        ("seed=4294967296", "seed=4294967296"),
        ("data_format=sideways", "'channels_last' or 'channels_first'"),
        ("protocol=peek", 'protocol="peek"'),
        ("optimizer.learning_rate=0", "optimizer.learning_rate=0"),
        (
            "optimizer.learning_rate=inf",
            "learning_rate=inf won't do: it should be a finite",
        ),
        (
            "+optimizer.weight_decay=nan",
            "weight_decay=nan won't do: it should be a finite",
        ),
        ("augmentation.layers=[{factor:nan}]", "augmentation.layers.0.factor=nan won't do"),
        ("tracking.wait=inf", "tracking.wait=inf won't do"),
        (
            "dataset.image_shape=[28]",
            "image_shape=[28] won't do: it should have at least 2",
        ),
        ("optimizer._target_=os.system", 'optimizer._target_="os.system"'),
        ("+optimizer.use_ema=true", "optimizer.use_ema won't do: training.ema=0.99"),
        ("+optimizer.ema_momentum=0.9", "Leave optimizer.ema_momentum out"),
        ("dataset.name=../../x", 'dataset.name="../../x"'),
        ("store.uri=''", 'store.uri=""'),
        ("store.checkpoint_every=0", "store.checkpoint_every=0"),
        ("+training.typo=1", "training.typo isn't a setting of this version"),
        ("+training.zzz=1", "training.zzz isn't a setting of this version"),
        ("~model.name", "model.name is missing"),
        ("model.blocks=[{type:dropout,rate:1.5}]", "model.blocks.0.rate=1.5"),
        (
            "model.blocks=[{type:typo}]",
            'model.blocks.0.type="typo" won\'t do: it should be one of conv, separable_conv, ',
        ),
        (
            "model.blocks=[{type:residual,blocks:[{type:3}]}]",
            "model.blocks.0.blocks.0.type=3 won't do: it should be one of conv, ",
        ),
        ("model.blocks=[{filters:3}]", "model.blocks.0.type is missing: set it"),
    ],
)
def test_what_is_not_allowed_is_refused_by_name(compose, override, words):
    with pytest.raises(UserError) as refused:
        check(compose(override))
    assert words in str(refused.value)


@pytest.mark.parametrize("value", ["-1", "true", "null"])
def test_a_length_that_is_none_is_refused(compose, value):
    with pytest.raises(UserError, match=f"schedule.decay_epochs={value} won't do"):
        check(compose("schedule=exponential", f"schedule.decay_epochs={value}"))


def test_a_kernel_size_that_changes_nothing_is_refused(compose):
    with pytest.raises(UserError, match=r"model.kernel_size=5 would change nothing"):
        check(compose("model=mlp", "+model.kernel_size=5"))


def test_a_dropout_switch_without_dropout_is_refused(compose):
    with pytest.raises(UserError, match=r"0 dropout blocks and model.dropout=true"):
        check(compose("model=mlp", "model.blocks=[{type:flatten}]"))


def test_seed_zero_is_a_seed(compose):
    assert check(compose("seed=0")).recipe().seed == 0


def test_the_recipe_holds_nothing_that_changes_no_result(compose):
    elsewhere = check(
        compose("tracking.uri=sqlite:///elsewhere.db", "store.uri=/mnt/team", "evaluate=false")
    )
    assert elsewhere.recipe() == check(compose("training.seeds=9")).recipe()


def test_the_environment_names_the_store_that_machines_share(compose, monkeypatch):
    assert check(compose()).store.uri is None
    monkeypatch.setenv("SIDEBYSIDE_STORE", "s3://bucket/folder")
    assert check(compose()).store.uri == "s3://bucket/folder"
    assert check(compose("store.uri=null")).store.uri is None


def test_a_recipe_that_no_config_allows_is_named(compose):
    config = check(compose())
    recipe = config.recipe().as_json()
    assert config.with_recipe(recipe | {"seed": 7}) == replace(config, seed=7)
    for wrong, words in (
        ({"dataset": "mnist"}, "are of dataset=mnist"),
        ({"optimizer": recipe["optimizer"] | {"learning_rate": 0.0}}, "learning_rate is 0.0"),
    ):
        with pytest.raises(UserError, match=words):
            config.with_recipe(recipe | wrong)
