"""What is tried before a sweep: augmentations and optimizers that Keras takes and that won't do."""

import pytest

import sidebyside as sbs
from sidebyside import UserError
from sidebyside.execution.preflight.trainable import check_trainable

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

COLOUR, FIRST = "dataset=cifar10", "data_format=channels_first"
SCALED = "value_range:[0,1]"
JITTER = f"RandomColorJitter,contrast_factor:0.3,{SCALED}"


def layers(*named):
    """Return the override that changes images by layers of Keras, one after another."""
    return f"augmentation.layers=[{','.join(f'{{_target_:keras.layers.{own}}}' for own in named)}]"


@pytest.fixture
def tried(home):
    """A function that tries what is chosen."""
    return lambda *chosen: check_trainable([sbs.compose("model=mlp", *chosen)])


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ([layers("MixUp")], r"keras.layers.MixUp changes labels with the images, and labels stay"),
        ([layers("CutMix"), FIRST, COLOUR], "CutMix changes labels"),
        (
            [layers("RandomFlip", "RandomBrightness,factor:0.2")],
            r"RandomBrightness names no value_range, .*: set value_range: \[0, 1\]",
        ),
        (
            [layers("RandomInvert,value_range:[0,255]")],
            r"RandomInvert has value_range: \[0, 255\], .*: set value_range: \[0, 1\]",
        ),
        (
            [layers(f"RandomErasing,{SCALED}"), "dataset.normalisation=standardise"],
            "normalisation=standardise they have none: choose dataset.normalisation=scale",
        ),
        ([layers(f"AugMix,{SCALED}")], "draws numbers that the run's seed doesn't decide"),
        (
            [layers(f"RandomContrast,factor:0.2,{SCALED}"), FIRST],
            "RandomContrast doesn't do to images in data_format=channels_first what it does to",
        ),
        ([layers(JITTER), FIRST, COLOUR], "choose data_format=channels_last"),
        (
            [layers(f"RandomContrast,factor:0.2,{SCALED},data_format:channels_first")],
            "in data_format=channels_last what it does to others: .* none of its own",
        ),
        (
            [layers("RandomCrop,height:24,width:24")],
            "makes images of 24x24x1 of those of 28x28x1, which the network takes",
        ),
        (
            [layers(f"RandomHue,factor:0.1,{SCALED}")],
            r"RandomHue can't change images of 28x28x1 \(Dimension must be 3 but is 1",
        ),
        ([layers("RandomFlop")], "RandomFlop can't change images .* no attribute 'RandomFlop'"),
        ([layers("RandomFlip,seed:1")], "multiple values for keyword argument 'seed'"),
        (
            ["+optimizer.weight_decay=abc"],
            r"can't train with optimizer=adam .*: Cast string to float is not supported\. Change",
        ),
    ],
)
def test_what_keras_takes_and_would_not_train_is_refused(tried, chosen, words):
    with pytest.raises(UserError, match=f"^(augmentation=|Keras ).*{words}"):
        tried(*chosen)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_layers_that_do_here_what_they_are_for_pass(tried, data_format):
    fitting = ("RandomBrightness,factor:0.2", "RandomPosterization,factor:4", "RandAugment")
    named = [f"{own},{SCALED}" for own in fitting]
    noise = ("GaussianNoise,stddev:0.1", "SpatialDropout2D,rate:0.1")
    tried(layers(*named, *noise), COLOUR, f"data_format={data_format}")


@pytest.mark.parametrize("chosen", [(FIRST, COLOUR), ("dataset.normalisation=standardise",)])
def test_augmentations_that_come_along_pass(tried, project, chosen):
    for path in (project / "conf" / "augmentation").glob("*.yaml"):
        tried(f"augmentation={path.stem}", *chosen)
