"""Which GPUs runs are trained on, and what is said where they can't be."""

import pytest

from sidebyside import UserError, compose
from sidebyside.storage import cards, keys
from support.cards import CARD, OTHER_CARD

RECIPE = compose().recipe()
ON_CPU = keys.identity(RECIPE, "arrays", "native")
ON_GPU = keys.identity(RECIPE, "arrays", "native", CARD)


@pytest.mark.parametrize(
    "other",
    [
        None,
        OTHER_CARD,
        CARD | {"compute_capability": "8.6"},
        CARD | {"cuda": "12.8"},
        CARD | {"cudnn": "90400"},
        CARD | {"packages": {}},
    ],
)
def test_another_device_is_another_run_of_the_same_task(other):
    identity = keys.identity(RECIPE, "arrays", "native", other)
    assert keys.run_key(identity) != keys.run_key(ON_GPU)
    assert keys.process(identity) != keys.process(ON_GPU)
    assert keys.task(identity) == keys.task(ON_GPU)


def test_a_run_on_a_cpu_says_nothing_of_gpus():
    assert "gpu" not in ON_CPU["environment"]
    assert "device" not in ON_CPU["recipe"]
    assert (keys.on_gpu(ON_CPU), keys.on_gpu(ON_GPU)) == (False, True)


def test_a_run_on_a_gpu_names_the_processor_beside_it():
    recipe = compose("model=mlp").recipe()
    beside = keys.identity(recipe, "arrays", "avx2", CARD)["environment"]
    alone = keys.identity(recipe, "arrays", "avx2")["environment"]
    assert beside["cpu"] == keys.processor()
    assert beside["gpu"] == CARD
    assert "cpu" not in alone


def test_a_process_without_a_gpu_computes_on_the_cpu():
    assert keys.device(ON_GPU) == keys.device(ON_CPU) == "cpu"


def test_cards_of_one_kind_are_that_kind():
    assert cards.kind([CARD, dict(CARD)]) == CARD


def test_no_card_is_a_sentence():
    with pytest.raises(UserError, match=r"^training\.device=gpu .* training\.device=cpu"):
        cards.kind([])


def test_two_kinds_are_a_sentence_that_names_both():
    with pytest.raises(UserError, match=r"A100.* and a NVIDIA L4 here.* CUDA_VISIBLE_DEVICES=0"):
        cards.kind([CARD, OTHER_CARD])


@pytest.mark.parametrize(
    ("count", "chosen", "names"),
    [
        (2, None, ["0", "1"]),
        (2, "3,1", ["3", "1"]),
        (1, "GPU-8932f937", ["GPU-8932f937"]),
        (1, "2,-1,0", ["2"]),  # CUDA takes none after one that isn't there
    ],
)
def test_a_card_is_called_what_cuda_calls_it(count, chosen, names):
    assert cards.names(count, chosen) == names
