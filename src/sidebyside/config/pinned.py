"""What a preset or a study pins, which nobody may change, or leave unused, unnoticed."""

from collections.abc import Iterable, Sequence

from omegaconf import DictConfig, OmegaConf

from sidebyside import paths
from sidebyside.config.command_line.explained import load_yaml
from sidebyside.errors import UserError


def refuse_pinned_in(config: DictConfig, overrides: Sequence[str]) -> None:
    """Raise a UserError if the preset of a composed config is changed by hand, see `refuse_pinned`.

    Also where its file gives it another name than that by which it was chosen.
    """
    if config.preset is None:
        return
    chosen = [own.partition("=")[2] for own in overrides if own.startswith("preset=")]
    refuse_pinned(chosen[-1:] or [config.preset.name], overrides)


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


def unused_parameters(study: DictConfig, arguments: Sequence[str]) -> str | None:
    """Return which values of params.yaml a study's own stand in for, None for none.

    Whoever edits params.yaml, or lets DVC do it, would think that they were used.

    Parameters
    ----------
    study : omegaconf.DictConfig
        The composed config of a study.
    arguments : sequence of str
        Those of the command line: what is set there is known to whoever sets it.
    """
    path = paths.root() / "params.yaml"
    given = OmegaConf.select(load_yaml(path), "training") if path.is_file() else None
    by_hand = {argument.lstrip("+").partition("=")[0] for argument in arguments}
    apart = [
        f"training.{key}={study.training[key]} ({value} in params.yaml isn't used)"
        for key, value in (given or {}).items()
        if study.training.get(key) != value and f"training.{key}" not in by_hand
    ]
    return f"study={study.study.name} sets {', '.join(apart)}" if apart else None


def pinned_keys(preset: str) -> set[str]:
    """Return the config groups and the dotted keys that a preset decides."""
    path = paths.conf_file("preset", f"{preset}.yaml")
    recipe = load_yaml(path)
    if (named := OmegaConf.select(recipe, "preset.name")) != preset:
        raise UserError(
            f"{path} calls its preset {named}, by which no command finds it: write preset: "
            f"{{name: {preset}}} there."
        )
    chosen = [entry for entry in recipe.get("defaults") or [] if isinstance(entry, DictConfig)]
    groups = {str(key).rpartition("/")[2] for entry in chosen for key in entry}
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
