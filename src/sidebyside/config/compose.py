"""A config composed outside a stage script."""

from collections.abc import Sequence

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from sidebyside import paths
from sidebyside.cli.stage import check_choices
from sidebyside.config.presets import refuse_pinned
from sidebyside.errors import UserError


def compose_config(overrides: Sequence[str]) -> DictConfig:
    """Return the config that a stage script would get from these arguments.

    Raises
    ------
    UserError
        If Hydra can't compose it, or a preset's recipe is changed by hand.
    """
    conf = paths.root() / "conf"
    check_choices(conf, list(overrides))
    try:
        with initialize_config_dir(str(conf), version_base="1.3"):
            config = compose("config", list(overrides))
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(" ".join(str(error).split())) from None
    if config.preset is not None:
        keys = [override.lstrip("+~").partition("=")[0] for override in overrides]
        refuse_pinned(conf, [config.preset.name], keys)
    return config
