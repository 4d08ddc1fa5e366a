"""Sentences in place of what Hydra, OmegaConf and a YAML parser say of a config at length."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra import initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sidebyside import paths
from sidebyside.config.command_line.unknown import unknown_key
from sidebyside.errors import UserError

_OF_WHAT_IS_THERE = (OverrideType.CHANGE, OverrideType.DEL)


@contextmanager
def explained(overrides: Sequence[str]) -> Iterator[None]:
    """Raise a UserError with one sentence for what a config can't be composed of.

    Parameters
    ----------
    overrides : sequence of str
        What it is composed with; options are passed over.
    """
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(_unknown(overrides) or _first_words(error)) from None
    except yaml.YAMLError as error:
        raise UserError(broken_yaml(error)) from None
    except UnicodeDecodeError as error:
        raise UserError(_not_utf8(error)) from None


def load_yaml(path: Path) -> DictConfig:
    """Return a config file; a UserError says where it can't be read."""
    try:
        content = OmegaConf.load(path)
    except yaml.YAMLError as error:
        raise UserError(broken_yaml(error)) from None
    except UnicodeDecodeError as error:
        raise UserError(_not_utf8(error)) from None
    if not isinstance(content, DictConfig):
        raise UserError(f'{path} holds a list, and has to be a mapping: lines of "key: value".')
    return content


def check_parameters() -> None:
    """Raise a UserError where the project has lost its params.yaml."""
    path = paths.root() / "params.yaml"
    if (paths.root() / "dvc.yaml").is_file() and not path.is_file():  # else the library's will do
        raise UserError(
            f"There is no {path}, which holds training.epochs, seeds and batch_size: bring it back "
            "from git, git checkout params.yaml."
        )


def _not_utf8(error: UnicodeDecodeError) -> str:
    """Return a sentence that names the config files which aren't UTF-8."""
    named = []
    for path in sorted(own for folder in paths.conf_folders() for own in folder.rglob("*.yaml")):
        try:
            path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            named.append(str(path))
    return f"{', '.join(named) or 'A config file'} isn't UTF-8 ({error.reason}): save it as that."


def broken_yaml(error: yaml.YAMLError) -> str:
    """Return a sentence that names the file and the line."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return f"A config file isn't YAML: {' '.join(str(error).split())}."
    problem = " ".join(str(getattr(error, "problem", None) or "it can't be read").split())
    return f"{mark.name}, line {mark.line + 1}, isn't YAML: {problem}."


def _unknown(overrides: Sequence[str]) -> str | None:
    """Return a sentence on the first override of a key that isn't there."""
    parser = OverridesParser.create()
    try:
        given = [parser.parse_override(own) for own in overrides if not own.startswith("-")]
        for chosen in _choices(given):
            with initialize_config_dir(str(paths.conf()), version_base="1.3"):
                config = hydra.compose("config", chosen, return_hydra_config=True)
            swept = OmegaConf.select(config, "hydra.sweeper.params") or {}
            keys = [own.key_or_group for own in given if own.type in _OF_WHAT_IS_THERE]
            for key in (*keys, *map(str, swept)):
                if "/" not in key and not _is_there(key, config):
                    return unknown_key(key, config)
    except (HydraException, OmegaConfBaseException, yaml.YAMLError):
        return None  # it isn't composed without that override either
    return None


def _choices(given: Sequence[Override]) -> Iterator[list[str]]:
    """Yield the choices of files among overrides: first those of one run, then each level."""
    levels: dict[str, list[str]] = {}
    for own in given:
        key, value = own.key_or_group, own.value()
        names = list(own.sweep_string_iterator()) if own.is_sweep_override() else [str(value)]
        if own.type != OverrideType.DEL and _is_group(key) and not isinstance(value, dict):
            levels[key] = names
    first = {key: names[0] for key, names in levels.items()}
    yield [f"{key}={name}" for key, name in first.items()]
    for key, names in levels.items():
        for name in names[1:]:
            yield [f"{own}={level}" for own, level in (first | {key: name}).items()]


def _is_group(key: str) -> bool:
    return any((folder / key).is_dir() for folder in paths.conf_folders())


def _is_there(key: str, config: DictConfig) -> bool:
    node: Any = config
    for part in key.split("."):
        if not isinstance(node, DictConfig) or part not in node:
            return not isinstance(node, DictConfig) and node is not None
        node = node._get_node(part)
    return True


def _first_words(error: Exception) -> str:
    """Return what Hydra says before it goes on to what can be done about it, as one sentence."""
    said = str(error) or str(error.__cause__ or type(error).__name__)
    words = " ".join(said.partition("\n\n")[0].split())
    return words if words.endswith((".", "?")) else f"{words}."
