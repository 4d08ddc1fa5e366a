"""A composed config, checked against the schema before any work starts."""

import json
from typing import TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from sidebyside.config.protocols import training_size
from sidebyside.config.schema import Config, Dataset, Launcher, Study, Tracking
from sidebyside.engine.recipe import DATA_FORMATS, Conv, DataFormat, Dropout
from sidebyside.engine.training.shapes import layer_shapes
from sidebyside.errors import UserError

T = TypeVar("T")


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
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    checked = _validate(Config, own, "")
    _check_model(checked)
    _check_batch_size(checked)
    return checked


def check_dataset(config: DictConfig) -> Dataset:
    """Return the dataset of a composed config, checked; see `check`."""
    return _validate(Dataset, config.dataset, "dataset")


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
    return _validate(Tracking, config.tracking, "tracking")


def check_launcher(launcher: DictConfig) -> Launcher:
    """Return the settings in Hydra's node ``hydra.launcher``, checked; see `check`."""
    return _validate(Launcher, launcher, "hydra.launcher")


def _validate(schema: type[T], config: DictConfig, node: str) -> T:
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise UserError(f"The config can't be resolved: {str(error).splitlines()[0]}.") from None
    try:
        # By way of JSON, where strict still lets a list be a list whatever its Python type.
        return TypeAdapter(schema).validate_json(json.dumps(plain), strict=True)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise UserError(" ".join(_sentence(detail, node) for detail in details)) from None


def _sentence(detail: ErrorDetails, node: str) -> str:
    parts = [str(part) for part in detail["loc"]]
    if "blocks" in parts:  # pydantic puts the block's type behind its number: not a key
        parts = [part for at, part in enumerate(parts) if at != parts.index("blocks") + 2]
    path = ".".join([node, *parts] if node else parts)
    if detail["type"] == "missing":
        return f"{path} is missing: set it under conf/ or on the command line."
    if detail["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{path} is not a known key: remove it or check its spelling."
    message = detail["msg"].removeprefix("Input ").removeprefix("String ")
    value = json.dumps(detail["input"])
    return (
        f"{path}={value} won't do: it {message}. "
        "Change it on the command line, in params.yaml or under conf/."
    )


def _check_model(config: Config) -> None:
    model = config.model
    unpinned = [b for b in model.blocks if isinstance(b, Conv) and b.kernel_size is None]
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
    dropouts = [block for block in model.blocks if isinstance(block, Dropout)]
    if bool(dropouts) != (model.dropout is not None):
        raise UserError(
            f"model={model.name} has {len(dropouts)} dropout blocks and "
            f"model.dropout={json.dumps(model.dropout)}: the switch belongs to a model with "
            "dropout blocks and to no other."
        )
    height, width = config.dataset.image_shape
    layer_shapes(model, (height, width), config.dataset.classes)  # refuses what has no shape


def _check_batch_size(config: Config) -> None:
    images = training_size(config.protocol, config.dataset.training_images)
    if config.training.batch_size > images:
        raise UserError(
            f"training.batch_size={config.training.batch_size} is more than the {images} images "
            f"that dataset={config.dataset.name} leaves for training under protocol="
            f"{config.protocol}: choose at most {images}."
        )
