"""What a preset pins, which nobody may change on top of it unnoticed."""

from collections.abc import Iterable

from omegaconf import DictConfig, OmegaConf

from sidebyside import paths
from sidebyside.config.command_line.explained import load_yaml
from sidebyside.errors import UserError


def refuse_pinned(presets: Iterable[str], overrides: Iterable[str]) -> None:
    """Raise a UserError if a key set by hand belongs to one of the recipes.

    Parameters
    ----------
    presets : iterable of str
        Names of files in ``conf/preset/``.
    overrides : iterable of str
        What was set on the command line, e.g. "training.epochs=3" or "model" alone.
    """
    by_hand = [override.lstrip("+~").partition("=")[0] for override in overrides]
    for preset in presets:
        pinned = pinned_keys(preset)
        for key in by_hand:
            # A pinned group pins all of its keys: preset.model=conv_pair, by hand model.dropout.
            if key in pinned or key.split(".")[0] in pinned:
                raise UserError(
                    f"{key} can't be set on top of preset={preset}, which pins it: leave it out, "
                    "or choose model, optimizer and training yourself instead of the preset."
                )


def pinned_keys(preset: str) -> set[str]:
    """Return the config groups and the dotted keys that a preset decides."""
    recipe = load_yaml(paths.conf_file("preset", f"{preset}.yaml"))
    groups = {str(key).rpartition("/")[2] for entry in recipe.defaults for key in entry}
    values = OmegaConf.masked_copy(
        recipe, [str(key) for key in recipe if key not in ("defaults", "preset")]
    )
    return groups | set(_leaves(values, ""))


def _leaves(node: DictConfig, path: str) -> Iterable[str]:
    for key, value in node.items():
        if isinstance(value, DictConfig):
            yield from _leaves(value, f"{path}{key!s}.")
        else:
            yield f"{path}{key!s}"
