"""What to say of a key that no config has: the nearest names, or that there is no such setting."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from omegaconf import DictConfig, OmegaConf

from sidebyside.config.datasets import Dataset
from sidebyside.config.schema import Store, Study, Tracking, Training
from sidebyside.engine.blocks import Model

_NEAR = 0.6  # of difflib's ratio
_VERY_NEAR = 0.8  # where most of a key may be right
_SCHEMAS = {
    "dataset": Dataset,
    "model": Model,
    "store": Store,
    "study": Study,
    "tracking": Tracking,
    "training": Training,
}
_CALLED = {"lr": "optimizer.learning_rate"}
_UNMIXED = "labels stay as they are here, so that nothing can mix images of several classes"
_NOT_SETTINGS = {  # what others call so, and what takes its place here
    "callbacks": "what is trained is the config alone; training.patience and training.keep=best "
    "stop early, schedule= changes the learning rate",
    "cutmix": _UNMIXED,
    "gpus": "training.device=gpu trains on GPUs, hydra.launcher.workers says how many at a time",
    "jit_compile": "XLA gains next to nothing for these networks on a CPU, see docs/performance.md",
    "loss": "networks are trained on categorical cross-entropy",
    "loss_weights": "networks are trained on categorical cross-entropy; see training.class_weight",
    "metric": "study.metric is what runs are judged by",
    "metrics": "study.metric is what runs are judged by, of those that docs/metrics.md lists",
    "mixup": _UNMIXED,
    "sample_weight": "training.class_weight=balanced lets each class count alike",
    "shuffle": "training.order says how images are shuffled",
    "steps_per_epoch": "an epoch is all training images once",
    "test_split": "a dataset has its test images; dataset.test_fraction divides folders of images",
    "use_ema": "training.ema=0.99, for instance, averages the weights",
    "validation_data": "protocol= says which images validate",
    "validation_split": "protocol= says which images validate, split20 for instance a fifth",
    "verbose": "progress is shown on a terminal and in lines elsewhere",
}


def unknown_key(key: str, config: DictConfig) -> str:
    """Return a sentence on a key that isn't there.

    Parameters
    ----------
    key : str
        With dots.
    config : omegaconf.DictConfig
        A composed one, which hasn't the key.
    """
    top, _, _ = key.partition(".")
    above, _, last = key.rpartition(".")
    if last in _NOT_SETTINGS:
        return f"{key} isn't a setting of this version: {_NOT_SETTINGS[last]}."
    if last in _CALLED:
        return f"{key} is unknown: did you mean {_CALLED[last]}?"
    if above == top and _may_have(top, last, config):
        return f"{key} isn't named in the file of {_chosen(top, config)}: write +{key}=..."
    known = dict.fromkeys([*_keys(config, hydra=top == "hydra"), *_of_schema(above, config)])
    if near := _near(key, list(known)):
        whom = f" to {chosen}" if (chosen := _chosen(above, config)) != above else ""
        return f"{key} is unknown{whom}: did you mean {' or '.join(near)}?"
    return _beside(key, config)


def _may_have(node: str, name: str, config: DictConfig) -> bool:
    """Whether the schema of a node knows what its file doesn't name."""
    there = name in (OmegaConf.select(config, node) or {})
    return not there and f"{node}.{name}" in _of_schema(node, config)


def _of_schema(node: str, config: DictConfig) -> list[str]:
    """Return the keys that a node can have, also those that its file doesn't name."""
    if node not in _SCHEMAS or OmegaConf.select(config, f"{node}._target_"):
        return []
    return [f"{node}.{own.name}" for own in fields(_SCHEMAS[node])]


def _near(key: str, known: Sequence[str]) -> list[str]:
    """Return the keys that were meant, by their last part first, as most are under another one."""
    above, _, last = key.rpartition(".")
    if same := [own for own in known if own.rpartition(".")[2] == last and own != key]:
        return same[:3]
    beside = [own.rpartition(".")[2] for own in known if own.rpartition(".")[0] == above]
    others = [own for own in beside if own != last and not own.startswith("_")]
    if near := difflib.get_close_matches(last, others, n=2, cutoff=_NEAR):
        return [f"{above}.{own}" if above else own for own in near]
    elsewhere = [own for own in known if own != key and not key.startswith(f"{own}.")]
    return difflib.get_close_matches(key, elsewhere, 2, _VERY_NEAR)


def _keys(config: DictConfig, hydra: bool) -> Iterator[str]:
    for name, value in config.items_ex(resolve=False):
        if str(name) != "hydra" or hydra:
            yield str(name)
            yield from (f"{name!s}.{own}" for own in _below(value))


def _below(node: Any) -> Iterator[str]:
    if not isinstance(node, DictConfig) or node._is_none() or node._is_missing():
        return
    for name, value in node.items_ex(resolve=False):
        yield str(name)
        yield from (f"{name!s}.{own}" for own in _below(value))


def _beside(key: str, config: DictConfig) -> str:
    """Return what there is where the key isn't."""
    above, _, last = key.rpartition(".")
    node = OmegaConf.select(config, above) if above else config
    while above and not isinstance(node, DictConfig):
        above = above.rpartition(".")[0]
        node = OmegaConf.select(config, above) if above else config
    if (target := node.get("_target_")) and last not in node:
        return (
            f"{_chosen(above, config)} names no {last}: +{key}=... adds it, if {target} takes such "
            "an argument."
        )
    own = {key.rpartition(".")[2] for key in _of_schema(above, config)}
    names = ", ".join(sorted({str(name) for name in node if name not in ("hydra", last)} | own))
    where = f"{_chosen(above, config)} has" if above else "there are"
    return f"{key} isn't a setting of this version: {where} {names}."


def _chosen(node: str, config: DictConfig) -> str:
    """Return a node with the name of the file that was chosen for it."""
    name = OmegaConf.select(config, f"{node}.name")
    return f"{node}={name}" if name else node
