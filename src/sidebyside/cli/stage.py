"""A stage script as a Hydra app: from any working directory, with a sentence for a mistake."""

import functools
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from sidebyside.cli.program import collect_seldom, user_errors_reported
from sidebyside.config.compose import check_choices
from sidebyside.config.presets import refuse_pinned
from sidebyside.environment import set_environment
from sidebyside.errors import UserError
from sidebyside.redaction import save_config, without_passwords
from sidebyside.storage import store
from sidebyside.tracking.liveness import end_with_dvc

_AGAIN = 0.1  # seconds


def main(root: Path) -> Callable[[Callable[[DictConfig], Any]], Callable[[], None]]:
    """Make a function of a config the Hydra app of a stage script.

    Parameters
    ----------
    root : pathlib.Path
        The project whose ``conf/`` to use: the script's own, wherever it is started from.
    """

    def decorate(task: Callable[[DictConfig], Any]) -> Callable[[], None]:
        @functools.wraps(task)
        def guarded(config: DictConfig) -> None:
            _write_hydra_folder(config)
            with user_errors_reported():
                if config.preset is not None:
                    refuse_pinned([config.preset.name], HydraConfig.get().overrides.task)
                task(config)

        def start() -> None:
            os.environ["SIDEBYSIDE_ROOT"] = str(root)
            collect_seldom()
            set_environment()
            _make_interruptible()
            end_with_dvc()
            logging.raiseExceptions = False  # a log that can't be written is no reason for pages
            with user_errors_reported():
                store.check_writable()
                _check_readable(sys.argv[1:])
                check_choices(sys.argv[1:])
                conf = str(root / "conf")
                hydra.main(config_path=conf, config_name="config", version_base="1.3")(guarded)()

        return start

    return decorate


def _make_interruptible() -> None:
    """Let SIGTERM end the program as Ctrl-C does, and Ctrl-C end it wherever it comes."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.unraisablehook = _interrupt_again


def _interrupt_again(unraisable: "sys.UnraisableHookArgs") -> None:
    """Repeat a Ctrl-C that has come while Python tidies up, where exceptions go no further."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        threading.Timer(_AGAIN, os.kill, [os.getpid(), signal.SIGINT]).start()
    else:
        sys.__unraisablehook__(unraisable)


def _write_hydra_folder(config: DictConfig) -> None:
    """Write what Hydra would write of a run, which would keep passwords."""
    settings = HydraConfig.get()
    folder = Path(settings.runtime.output_dir) / ".hydra"
    save_config(config, folder / "config.yaml")
    save_config(OmegaConf.create({"hydra": settings}), folder / "hydra.yaml")
    save_config(OmegaConf.create(settings.overrides.task), folder / "overrides.yaml")


def _check_readable(arguments: list[str]) -> None:
    """Raise a UserError for a value that Hydra can't parse and would print as it is."""
    parser = OverridesParser.create()
    for argument in arguments:
        if argument.startswith("-") or "=" not in argument:
            continue
        try:
            parser.parse_override(argument)
        except HydraException:
            key, _, value = without_passwords(argument).partition("=")
            raise UserError(
                f"{key}={value} can't be read, as its value has signs with a meaning of their "
                f"own: put it in quotes, \"{key}='{value}'\"."
            ) from None
