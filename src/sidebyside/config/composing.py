"""The configs of a grid: composed by Hydra once for what runs share, and the rest set.

Hydra takes a tenth of a second for a config. What it does after choosing files is to set, one
after another, the values that the command line names; so runs that choose the same files are
composed once without those values, and these are set by Hydra's own function. The seed is set on
the checked config, unless something else in it follows from the seed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf, open_dict

from sidebyside.config.factors import REPLICATE
from sidebyside.config.grid import Point, parsed
from sidebyside.config.schema import Config
from sidebyside.config.validate import check

Compose = Callable[[list[str]], DictConfig]


@dataclass(frozen=True)
class Composed:
    """A run's config, checked, and its ``content`` with interpolations as they are."""

    config: Config
    content: dict[str, Any]


@dataclass(frozen=True)
class _Parts:
    """The overrides of a point: those that are ``composed``, those that are ``set``, the seed's."""

    composed: tuple[str, ...]
    set: tuple[str, ...]
    seed: tuple[str, ...]


def compose_points(grid: Iterable[Point], compose: Compose) -> Iterator[Composed]:
    """Yield the config of each point, equal to what Hydra composes of its overrides.

    Parameters
    ----------
    grid : iterable of Point
    compose : callable
        Given overrides it returns the config of them.

    Raises
    ------
    UserError
        As `sidebyside.config.validate.check` does.
    """
    bases: dict[tuple[tuple[str, ...], tuple[str, ...]], DictConfig] = {}
    by_variant: dict[_Parts, Composed | None] = {}  # None where more than the seed follows from it
    seen: set[tuple[str, ...]] = set()  # seeds that were found to be ones
    for point in grid:
        parts = _parts(point.overrides)
        variant = replace(parts, seed=())
        known = by_variant.get(variant)
        if known is not None and parts.seed and parts.seed in seen:
            yield _with_seed(known, parts.seed)
            continue
        # What was set for the point before has the same keys, so that it is set anew.
        base = parts.composed, tuple(_key(own) for own in (*parts.set, *parts.seed))
        if base not in bases:
            bases[base] = _own(compose(list(parts.composed)))
        config = bases[base]
        _set(config, (*parts.set, *parts.seed))
        own = Composed(check(config), _content(config))
        if variant not in by_variant:
            by_variant[variant] = None if _follows_from_seed(own.content) else own
        seen.add(parts.seed)
        yield own


def _parts(overrides: Sequence[str]) -> _Parts:
    """Return which overrides set plain values, after all others whatever their place."""
    seed = tuple(own for own in overrides if _key(own) == REPLICATE)
    values = [own for own in overrides if "." in _key(own) and _is_plain(parsed(own))]
    rest = [own for own in overrides if own not in values and own not in seed]
    # One that changes a whole node counts where it stands: before or after a value within it.
    nodes = [_key(own).lstrip("~") for own in rest if not _chooses(parsed(own))]
    if any(_touch(_key(own), node) for own in values for node in nodes):
        values, rest = [], [own for own in overrides if own not in seed]
    return _Parts(tuple(rest), tuple(values), seed)


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+")


def _is_plain(override: Override) -> bool:
    return (
        override.type == OverrideType.CHANGE
        and override.package is None
        and not isinstance(override.value(), dict)
        and not override.is_hydra_override()
    )


def _chooses(override: Override) -> bool:
    """Whether an override is of a whole key and no value of several, as the choice of a file is."""
    return override.type == OverrideType.CHANGE and not isinstance(override.value(), dict)


def _touch(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def _own(config: DictConfig) -> DictConfig:
    """Return a config without what Hydra says of itself."""
    with open_dict(config):
        config.pop("hydra", None)
    return config


def _set(config: DictConfig, overrides: Sequence[str]) -> None:
    ConfigLoaderImpl._apply_overrides_to_config([parsed(own) for own in overrides], config)


def _content(config: DictConfig) -> dict[str, Any]:
    content = OmegaConf.to_container(config, enum_to_str=True)
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}


def _with_seed(known: Composed, overrides: Sequence[str]) -> Composed:
    (override,) = overrides
    seed = parsed(override).value()
    assert isinstance(seed, int)  # as was checked of the first variant with it
    return Composed(replace(known.config, seed=seed), known.content | {REPLICATE: seed})


def _follows_from_seed(content: Any) -> bool:
    """Whether some value may be made from the seed."""
    if isinstance(content, dict):
        return any(map(_follows_from_seed, content.values()))
    if isinstance(content, list):
        return any(map(_follows_from_seed, content))
    return isinstance(content, str) and "${" in content and REPLICATE in content
