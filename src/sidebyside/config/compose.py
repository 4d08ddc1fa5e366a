"""Configs composed outside a stage script."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import hydra
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from sidebyside import paths
from sidebyside.config.command_line.arguments import check_values, refuse_unused_seeds
from sidebyside.config.command_line.explained import check_parameters, explained, load_yaml
from sidebyside.config.composing import compose_points
from sidebyside.config.factors import Level
from sidebyside.config.grid import points
from sidebyside.config.keras_settings import check_keras_settings
from sidebyside.config.launchers import Launcher
from sidebyside.config.pinned import refuse_pinned_in
from sidebyside.config.schema import Config, Study
from sidebyside.config.validate import check, check_launcher
from sidebyside.environment import set_environment
from sidebyside.errors import UserError

_GROUPS = (
    "dataset",
    "model",
    "optimizer",
    "schedule",
    "augmentation",
    "preset",
    "study",
    "training",
    "tracking",
    "store",
    "hydra/launcher",
)
_NONE = {  # what to do for none of a group
    "preset": "leave it out",
    "study": "leave it out",
    "schedule": "choose schedule=constant",
    "augmentation": "choose augmentation=none",
}


def compose(*overrides: str) -> Config:
    """Return the config of a run or a study, checked.

    Parameters
    ----------
    *overrides : str
        As on the command line, e.g. "model.kernel_size=5" or "study=factorial".

    Raises
    ------
    UserError
        If a key or a value is unknown or won't do, or values don't go together.
    """
    return replace(check(compose_config(overrides)), overrides=overrides)


def compose_config(overrides: Sequence[str]) -> DictConfig:
    """Return the config that a stage script would get from these arguments, not yet checked.

    Raises
    ------
    UserError
        If Hydra can't compose it, or a preset's recipe is changed by hand.
    """
    check_values(overrides)
    check_choices(list(overrides))
    with _composing(overrides):
        config = hydra.compose("config", list(overrides))
    refuse_pinned_in(config, overrides)
    return config


def compose_grid(overrides: Sequence[str]) -> list[tuple[Config, Mapping[str, Level]]]:
    """Return the runs of the study that is among ``overrides``, each with its levels.

    Raises
    ------
    UserError
        As `compose` does.
    """
    refuse_unused_seeds(overrides)
    params = _hydra_node(overrides, "sweeper.params") or {}
    with _composing(overrides):
        grid = points(params, overrides, GlobalHydra.instance().config_loader())
        composed = compose_points(grid, partial(hydra.compose, "config"))
        return [(own.config, point.factors) for own, point in zip(composed, grid, strict=True)]


def compose_launcher(overrides: Sequence[str] = ()) -> Launcher:
    """Return the settings of the launcher, checked."""
    return check_launcher(OmegaConf.create(_hydra_node(overrides, "launcher")))


def _hydra_node(overrides: Sequence[str], node: str) -> Any:
    with _composing(overrides):
        # As a multirun composes it, to which what is swept comes later.
        composer = GlobalHydra.instance().hydra
        assert composer is not None
        config = composer.compose_config(
            "config", list(overrides), RunMode.MULTIRUN, from_shell=False
        )
    selected = OmegaConf.select(config.hydra, node)
    return (
        OmegaConf.to_container(selected, resolve=True)
        if OmegaConf.is_config(selected)
        else selected
    )


@contextmanager
def _composing(overrides: Sequence[str]) -> Iterator[None]:
    set_environment()
    check_keras_settings()
    check_parameters()
    with explained(overrides), initialize_config_dir(str(paths.conf()), version_base="1.3"):
        yield


def check_choices(arguments: Sequence[str]) -> None:
    """Raise a UserError for a config group's unknown name, which Hydra would report at length.

    So for a setting of a study that its file doesn't name.
    """
    _check_settings_of_study(arguments)
    for argument in arguments:
        group, equals, names = argument.lstrip("+").partition("=")
        if equals and not group:
            raise UserError(f"{argument} names no setting: write KEY=VALUE.")
        if not equals or group not in _GROUPS:
            continue
        known = paths.conf_names(group)
        if names.startswith(("[", "{")):
            raise UserError(f"{argument} won't do: {group} takes a name, of {', '.join(known)}.")
        for name in names.split(","):
            if not any(sign in name for sign in "$(){}[]"):  # Hydra's own functions and lists
                _check_choice(group, name.strip("'\" "), known)


def _check_settings_of_study(arguments: Sequence[str]) -> None:
    chosen = [a.partition("=")[2] for a in arguments if a.startswith("study=")]
    path = paths.conf_file("study", f"{chosen[-1]}.yaml") if chosen else None
    if path is None or not path.is_file():
        return
    named = OmegaConf.select(load_yaml(path), "study") or {}
    if not isinstance(named, Mapping | DictConfig):
        raise UserError(f"{path} has study: {named}, which has to be a mapping of its settings.")
    known = [own.name for own in fields(Study)]
    _check_name_of_study(path, named.get("name", path.stem), arguments)
    for argument in arguments:
        key, equals, _ = argument.partition("=")
        group, _, setting = key.partition(".")
        if not equals or group != "study" or not setting or setting.partition(".")[0] in named:
            continue
        if setting in known:
            raise UserError(
                f"{path} doesn't name study.{setting}: write ++{argument}, or add it there."
            )
        near = difflib.get_close_matches(setting, known, n=1)
        hint = f"did you mean study.{near[0]}? " if near else ""
        raise UserError(
            f"study.{setting} is unknown: {hint}A study's settings are {', '.join(known)}."
        )


def _check_name_of_study(path: Path, name: str, arguments: Sequence[str]) -> None:
    """Raise a UserError where a report would name a study that no command selects."""
    if name != path.stem:
        raise UserError(
            f"{path} calls its study {name}, which selects another file or none: write "
            f"name: {path.stem} there, or give the file that name."
        )
    for argument in arguments:
        key, _, given = argument.lstrip("+").partition("=")
        if key == "study.name" and given != name:
            raise UserError(
                f"{argument} won't do: a study has the name of its file. Copy {path} to "
                f"{given}.yaml beside it, write name: {given} there, and select it with "
                f"study={given}."
            )


def _check_choice(group: str, name: str, known: list[str]) -> None:
    if name in known:
        return
    if name == "null":
        none = _NONE.get(group, f"choose one of {', '.join(known)}")
        raise UserError(f"{group}=null chooses no file: {none}.")
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    hint = f" (did you mean {' or '.join(near)}?)" if near else ""
    raise UserError(
        f"{group}={name} is unknown{hint}. Known are {', '.join(known)}; another one is a new "
        f"file in conf/{group}/."
    )
