"""A composed config, checked against the schema before any work starts."""

import json
import math
import re
from collections.abc import Sequence
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from sidebyside.config.command_line.unknown import unknown_key
from sidebyside.config.datasets import ROLES, Dataset
from sidebyside.config.launchers import ENGINES, Launcher
from sidebyside.config.protocols import HOLDS_OUT, training_size
from sidebyside.config.schema import Config, Store, Study, Tracking
from sidebyside.engine.blocks import TAGS, Convolution, Dropout, Instance, with_inner
from sidebyside.engine.recipe import DATA_FORMATS, DataFormat
from sidebyside.engine.training.shapes import layer_shapes
from sidebyside.errors import UserError

T = TypeVar("T")
_QUOTE = "'"

SCHEDULE_PACKAGE = "keras.optimizers.schedules"
AUGMENTATION_PACKAGE = "keras.layers"
_AVERAGE = ("use_ema", "ema_momentum", "ema_overwrite_frequency")  # arguments of Keras' optimizers
_CHANGE = "Change it on the command line, in params.yaml or under conf/."
_EXAMPLES = {SCHEDULE_PACKAGE: "CosineDecay", AUGMENTATION_PACKAGE: "RandomFlip"}


def check(config: DictConfig) -> Config:
    """Return the config as checked dataclasses.

    Parameters
    ----------
    config : omegaconf.DictConfig
        A config as Hydra composes it from ``conf/config.yaml``.

    Raises
    ------
    UserError
        If a value has the wrong type or is out of range, a key is unknown or missing, or the
        values don't go together.
    """
    if "hydra" in config:
        config = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    checked = _validate(Config, config, "")
    _check_address(checked.tracking)
    _check_files(checked.dataset)
    _check_targets(checked)
    _check_lengths(checked)
    _check_model(checked)
    _check_batch_size(checked)
    _check_early_stopping(checked)
    _check_average(checked)
    return checked


def check_dataset(config: DictConfig) -> Dataset:
    """Return the dataset of a composed config, checked; see `check`."""
    dataset = _validate(Dataset, config.dataset, "dataset")
    _check_files(dataset)
    return dataset


def check_data_format(config: DictConfig) -> DataFormat:
    """Return the data format of a composed config, checked; see `check`."""
    if config.data_format not in DATA_FORMATS:
        raise UserError(
            f"data_format={config.data_format} won't do: it should be {' or '.join(DATA_FORMATS)}."
        )
    known: DataFormat = config.data_format
    return known


def check_study(config: DictConfig) -> Study:
    """Return the study of a composed config, checked; see `check`.

    Raises
    ------
    UserError
        Also if no study is selected.
    """
    if config.study is None:
        raise UserError("No study is selected: add study=<name>, one of the files in conf/study/.")
    return _validate(Study, config.study, "study")


def check_tracking(config: DictConfig) -> Tracking:
    """Return the tracking store of a composed config, checked; see `check`."""
    tracking = _validate(Tracking, config.tracking, "tracking")
    _check_address(tracking)
    return tracking


def check_allow_partial(config: DictConfig) -> bool:
    """Return whether a report may be made of what is there, of a composed config; see `check`."""
    value = config.allow_partial
    if not isinstance(value, bool):
        raise UserError(f"allow_partial={value} won't do: write true or false.")
    return value


def check_store(config: DictConfig) -> Store:
    """Return where machines share runs, of a composed config, checked; see `check`."""
    return _validate(Store, config.store, "store")


def check_launcher(launcher: DictConfig) -> Launcher:
    """Return the settings in Hydra's node ``hydra.launcher``, checked; see `check`."""
    if (engine := launcher.get("engine")) not in ENGINES:
        raise UserError(
            f"hydra/launcher with {launcher.get('_target_')} isn't one of sidebyside's: choose "
            f"{' or '.join(ENGINES)}."
        )
    settings = OmegaConf.masked_copy(launcher, [str(key) for key in launcher if key != "_target_"])
    return _validate(ENGINES[engine], settings, "hydra.launcher")


def _validate(schema: type[T], config: DictConfig, node: str) -> T:
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise UserError(f"The config can't be resolved: {str(error).splitlines()[0]}.") from None
    _check_finite(plain, node)
    try:
        # By way of JSON, where strict still lets a list be a list whatever its Python type.
        return TypeAdapter(schema).validate_json(json.dumps(plain), strict=True)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise UserError(" ".join(_sentence(own, node, config) for own in details)) from None


def _check_finite(value: Any, path: str) -> None:
    """Raise a UserError for NaN and infinities, which no record of a run could tell as JSON."""
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{path}={value} won't do: it should be a finite number. {_CHANGE}")
    within = value.items() if isinstance(value, dict) else ()
    for key, own in enumerate(value) if isinstance(value, list) else within:
        _check_finite(own, f"{path}.{key}" if path else str(key))


def _sentence(detail: ErrorDetails, node: str, config: DictConfig) -> str:
    parts = _keys(detail["loc"])
    path = ".".join([node, *parts] if node else parts)
    if detail["type"] in ("union_tag_not_found", "union_tag_invalid"):
        path = f"{path}.{detail['ctx']['discriminator'].strip(_QUOTE)}"
    if detail["type"] in ("missing", "union_tag_not_found"):
        return f"{path} is missing: set it under conf/ or on the command line."
    if detail["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return unknown_key(path, _whole(config, node))
    message = re.sub(r"^(Input|String|List|Dictionary) ", "", detail["msg"])
    value = detail["input"]
    if detail["type"] == "union_tag_invalid":  # of which pydantic says how it looked for it
        message = f"should be one of {detail['ctx']['expected_tags'].replace(_QUOTE, '')}"
        value = value[path.rpartition(".")[2]]
    return f"{path}={json.dumps(value)} won't do: it {message}. {_CHANGE}"


def _whole(config: DictConfig, node: str) -> DictConfig:
    """Return a config that has ``config`` at a node."""
    if not node:
        return config
    whole = OmegaConf.create()
    OmegaConf.update(whole, node, config)
    return whole


def _keys(location: Sequence[str | int]) -> list[str]:
    """Return the keys to a value, without what pydantic says of the type that it tried."""
    parts = [str(part) for part in location]
    return [
        part
        for at, part in enumerate(parts)
        if part not in TAGS and not (at > 1 and parts[at - 2] == "blocks")
    ]


def _check_address(tracking: Tracking) -> None:
    if tracking.uri == "":
        raise UserError(
            "tracking=server needs the address of a server: set MLFLOW_TRACKING_URI, or "
            "tracking.uri=https://<its name>; docs/server.md says how to start one."
        )


def _check_targets(config: Config) -> None:
    """Raise a UserError where a config names something of Keras that isn't where it should be."""
    named = [
        ("augmentation.layers", own.get("_target_"), AUGMENTATION_PACKAGE)
        for own in config.augmentation.layers
    ]
    if isinstance(config.schedule, Instance):
        named.append(("schedule", config.schedule.target, SCHEDULE_PACKAGE))
    for key, target, package in named:
        if not isinstance(target, str) or target.rpartition(".")[0] != package:
            raise UserError(
                f"{key} names _target_={json.dumps(target)}: choose one of {package}, "
                f"{package}.{_EXAMPLES[package]} for instance."
            )


def _check_lengths(config: Config) -> None:
    """Raise a UserError for a length of a schedule that is none."""
    if not isinstance(config.schedule, Instance):
        return
    for name, value in config.schedule.arguments.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if name.endswith("_epochs") and not (number and value >= 0):
            raise UserError(
                f"schedule.{name}={json.dumps(value)} won't do: it should be a number of epochs, "
                f"not less than 0. {_CHANGE}"
            )


def _check_files(dataset: Dataset) -> None:
    """Raise a UserError where a dataset's files aren't those of its format."""
    roles = ROLES[dataset.format]
    if sorted(dataset.files) != sorted(roles):
        raise UserError(
            f"dataset={dataset.name} has the files {', '.join(dataset.files)}: format="
            f"{dataset.format} needs {', '.join(roles)}."
        )
    if dataset.training_images is None:
        raise UserError(
            f"dataset={dataset.name} doesn't say how many training images it has: set "
            "training_images in its file."
        )
    if dataset.class_names and len(dataset.class_names) != dataset.classes:
        raise UserError(
            f"dataset={dataset.name} has {len(dataset.class_names)} class_names and classes: "
            f"{dataset.classes}: name all of them or none."
        )


def _check_model(config: Config) -> None:
    model = config.model
    if isinstance(model, Instance):
        return  # what it makes of its arguments is asked of it before anything is trained
    blocks = list(with_inner(model.blocks))
    unpinned = [b for b in blocks if isinstance(b, Convolution) and b.kernel_size is None]
    if unpinned and model.kernel_size is None:
        raise UserError(
            f"model={model.name} has a conv block without a kernel_size: set model.kernel_size "
            "or give the block its own."
        )
    if model.kernel_size is not None and not unpinned:
        raise UserError(
            f"model.kernel_size={model.kernel_size} would change nothing: every conv block of "
            f"model={model.name} pins its own. Leave the key out."
        )
    dropouts = [block for block in blocks if isinstance(block, Dropout)]
    if bool(dropouts) != (model.dropout is not None):
        raise UserError(
            f"model={model.name} has {len(dropouts)} dropout blocks and "
            f"model.dropout={json.dumps(model.dropout)}: the switch belongs to a model with "
            "dropout blocks and to no other."
        )
    layer_shapes(model, config.dataset.shape, config.dataset.classes)  # refuses what has no shape


def _check_batch_size(config: Config) -> None:
    images = training_size(config.protocol, config.dataset.size)
    if config.training.batch_size > images:
        raise UserError(
            f"training.batch_size={config.training.batch_size} is more than the {images} images "
            f"that dataset={config.dataset.name} leaves for training under protocol="
            f"{config.protocol}: choose at most {images}."
        )


def _check_early_stopping(config: Config) -> None:
    training = config.training
    if config.protocol in HOLDS_OUT or (training.patience is None and training.keep == "last"):
        return
    key = "keep=best" if training.patience is None else f"patience={training.patience}"
    raise UserError(
        f"training.{key} needs validation images that aren't the test images, and protocol="
        f"{config.protocol} has none: choose protocol={' or '.join(HOLDS_OUT)}."
    )


def _check_average(config: Config) -> None:
    """Raise a UserError where Keras is to average weights, which would put the average nowhere."""
    for name in _AVERAGE:
        if name in config.optimizer:
            raise UserError(
                f"optimizer.{name} won't do: training.ema=0.99, for instance, averages the weights "
                f"and uses the average. Leave optimizer.{name} out."
            )
