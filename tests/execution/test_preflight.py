"""What is tried before a sweep: what Keras takes and won't do, and nodes of another kind."""

import socket
from dataclasses import replace

import pytest

import sidebyside as sbs
from sidebyside import UserError
from sidebyside.execution.executors.serial import SerialExecutor
from sidebyside.execution.jobs import plan
from sidebyside.execution.opening import preflight
from sidebyside.execution.preflight.trainable import check_trainable
from sidebyside.execution.train import train_job
from sidebyside.storage import keys
from support.sweeps import keys_in

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


class OnANode(SerialExecutor):
    """An executor whose worker may be on another machine."""

    elsewhere = True


def planned(*chosen, **environment):
    """Return a job as another machine would plan it, which differs in parts of its environment."""
    job = plan(sbs.compose("model=mlp", "training.epochs=1", *chosen), {})
    here = job.identity["environment"]
    others = {
        name: here[name] | own if isinstance(own, dict) else own
        for name, own in environment.items()
    }
    identity = job.identity | {"environment": here | others}
    run = replace(job.run, key=keys.run_key(identity))
    return replace(job, run=run, identity=identity)


OTHERS = {
    "another processor": (
        ("schedule=cosine", {"cpu": {"model": "AMD EPYC"}}),
        "as its bits depend on the processor .* there, and AMD EPYC where it is launched",
    ),
    "the same processor with other instructions": (
        ("schedule=cosine", {"cpu": {"instructions": ["sse"]}}),
        "with other instructions where it is launched. Launch from a machine like the nodes",
    ),
    "another numeric class": (
        ("training.numerics=native", {"numerics": "avx512"}),
        "is of numeric class native and not of avx512, .*: set training.numerics=native",
    ),
    "another TensorFlow": (
        ("schedule=constant", {"versions": {"tensorflow": "2.3"}}),
        r"environment.versions.tensorflow changed while the sweep was running, or isn't the same",
    ),
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_run_that_would_be_another_one_on_its_node_is_named(home, tmp_path, other):
    (choice, environment), words = OTHERS[other]
    job = planned(choice, **environment)
    told = f"Run {job.run.key[:12]} would be another one on {socket.gethostname()}.*{words}"
    with pytest.raises(UserError, match=told), preflight([job], (), OnANode(), tmp_path):
        pass
    with pytest.raises(UserError, match=told):
        train_job(job)
    assert not keys_in(home)


def test_a_node_of_the_same_kind_passes(home, tmp_path):
    with preflight([planned("schedule=cosine")], (), OnANode(), tmp_path):
        pass
