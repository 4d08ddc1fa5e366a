"""A grid of runs: what a study and a command line sweep, point by point."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from sidebyside.config.factors import NOT_FACTORS, REPLICATE, Level, as_level, short_names
from sidebyside.config.pinned import refuse_pinned
from sidebyside.errors import UserError
from sidebyside.redaction import without_passwords


@dataclass(frozen=True)
class Point:
    """One run of a grid: all that it is composed with, and its levels by the factors' names."""

    overrides: list[str]
    factors: dict[str, Level]


def points(params: Mapping[str, Any], arguments: Sequence[str], loader: Any = None) -> list[Point]:
    """Return the runs of a grid.

    Parameters
    ----------
    params : dict
        What a study sweeps, as in ``hydra.sweeper.params``.
    arguments : sequence of str
        The command line, whose sweeps take the place of the study's or are added to them.
    loader : hydra.core.config_loader.ConfigLoader, optional
        For sweeps by ``glob``.

    Raises
    ------
    UserError
        If something is swept that can't be, or a preset's recipe is changed by hand.
    """
    if not isinstance(params, Mapping):
        raise UserError(
            f"hydra.sweeper.params is {params}, and has to be a mapping of what is swept, as "
            '"model.kernel_size: 3,5".'
        )
    parser = OverridesParser.create(config_loader=loader)
    by_hand = parser.parse_overrides(list(arguments))
    swept = parser.parse_overrides([f"{key}={value}" for key, value in params.items()])
    # The last of a key counts, be it forced, as ++seed=0,1.
    asked = list({_key(own): own for own in (*swept, *by_hand)}.values())
    _refuse_senseless(asked)
    _refuse_unswept_seeds(by_hand, asked)
    _refuse_pinned(by_hand, asked)
    factors = _factor_names(asked, {_key(own) for own in swept})
    (grid,) = BasicSweeper.split_arguments(asked, max_batch_size=None)
    if not grid:
        raise UserError(
            "This sweep has no runs, as one of its ranges is empty: set training.seeds to 1 or "
            "more, or a range that holds something, as seed='range(0,3)'."
        )
    return [Point(list(each), _levels([parsed(own) for own in each], factors)) for each in grid]


@cache
def parsed(override: str) -> Override:
    """Return an override as Hydra reads it, which takes it a while; no sweep by ``glob``."""
    (own,) = OverridesParser.create().parse_overrides([override])
    return own


def _key(override: Override) -> str:
    """Return what an override is of, whether it sets, adds (+) or forces it (++)."""
    return str(override.get_key_element()).lstrip("+")


def _factor_names(asked: Sequence[Override], params: Collection[str]) -> dict[str, str]:
    """Return the short name of each factor by its key: what is swept, or named by a study."""
    keys = [_key(own) for own in asked if own.is_sweep_override() or _key(own) in params]
    return short_names([key for key in keys if key != REPLICATE])


def _levels(overrides: Sequence[Override], factors: Mapping[str, str]) -> dict[str, Level]:
    values = {_key(override): override.value() for override in overrides}
    return {name: as_level(values[key]) for key, name in factors.items()}


def _refuse_senseless(asked: Sequence[Override]) -> None:
    names = [_key(override) for override in asked]
    for override in asked:
        name = _key(override)
        if override.is_sweep_override() and name.split(".")[0] in NOT_FACTORS:
            why = "each study is a sweep of its own" if name == "study" else "it changes no network"
            raise UserError(
                f"{without_passwords(str(override.input_line))} can't be swept: {why}. Run the "
                "command once for each value."
            )
        if override.is_sweep_override() and name == "dataset" and "study" in names:
            raise UserError(
                "dataset can't be swept in a study, whose runs are compared on the same test "
                "images. Run the study once for each dataset."
            )


def _refuse_unswept_seeds(by_hand: Sequence[Override], asked: Sequence[Override]) -> None:
    """Refuse a number of seeds where neither the study nor the command line sweeps any."""
    seeds = [own for own in by_hand if _key(own) == "training.seeds"]
    if seeds and not any(_key(own) == REPLICATE for own in asked):
        raise UserError(
            f"{seeds[-1].input_line} would change nothing, as this study sweeps no seed: add "
            "seed: range(0,${training.seeds}) to hydra.sweeper.params in its file, or sweep "
            "seed='range(0,5)'."
        )


def _refuse_pinned(by_hand: Sequence[Override], asked: Sequence[Override]) -> None:
    presets: list[str] = []
    for override in asked:
        if override.get_key_element() == "preset":
            swept = override.is_sweep_override()
            presets = list(override.sweep_string_iterator()) if swept else [str(override.value())]
    refuse_pinned(presets, [override.get_key_element() for override in by_hand])
