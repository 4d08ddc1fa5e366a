"""A stage script as a Hydra app: from any working directory, with a sentence for a mistake."""

import functools
import io
import logging
import os
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from sidebyside.cli.program import collect_seldom, make_interruptible, user_errors_reported
from sidebyside.config.command_line.arguments import check_arguments
from sidebyside.config.command_line.explained import check_parameters, explained
from sidebyside.config.compose import check_choices
from sidebyside.config.keras_settings import check_keras_settings
from sidebyside.config.pinned import refuse_pinned_in
from sidebyside.environment import set_environment
from sidebyside.redaction import save_config, without_passwords
from sidebyside.storage import store
from sidebyside.tracking.liveness import end_with_dvc

_SHOWING = ("--cfg", "-c", "--info", "-i", "--help", "-h")
_RAISE = "HYDRA_FULL_ERROR"  # errors are raised, where Hydra would print them and end


def main(
    root: Path, *, reads: Collection[str] | None = None
) -> Callable[[Callable[[DictConfig], Any]], Callable[[], None]]:
    """Make a function of a config the Hydra app of a stage script.

    Parameters
    ----------
    root : pathlib.Path
        The project whose ``conf/`` to use: the script's own, wherever it is started from.
    reads : collection of str, optional
        The keys at the top of the config that the script reads, so that another one is refused;
        None is all that decides a run, and sweeps.
    """

    def decorate(task: Callable[[DictConfig], Any]) -> Callable[[], None]:
        @functools.wraps(task)
        def guarded(config: DictConfig) -> None:
            _write_hydra_folder(config)
            with user_errors_reported():
                refuse_pinned_in(config, HydraConfig.get().overrides.task)
                task(config)

        def start() -> None:
            os.environ["SIDEBYSIDE_ROOT"] = str(root)
            collect_seldom()
            set_environment()
            make_interruptible()
            end_with_dvc()
            os.environ[_RAISE] = "1"
            logging.raiseExceptions = False  # a log that can't be written is no reason for pages
            with user_errors_reported():
                _check(sys.argv[1:], Path(sys.argv[0]).name, reads)
                conf = str(root / "conf")
                with explained(sys.argv[1:]), _shown_without_passwords(sys.argv[1:]):
                    hydra.main(config_path=conf, config_name="config", version_base="1.3")(
                        guarded
                    )()

        return start

    return decorate


def _check(arguments: list[str], script: str, reads: Collection[str] | None) -> None:
    store.check_writable()
    check_keras_settings()
    check_parameters()
    check_arguments(arguments, script, reads)
    check_choices(arguments)


@contextmanager
def _shown_without_passwords(arguments: list[str]) -> Iterator[None]:
    """Hide passwords in what Hydra prints of a config that it is asked to show."""
    if not any(argument.startswith(_SHOWING) for argument in arguments):
        yield
        return
    shown = io.StringIO()
    try:
        with redirect_stdout(shown):
            yield
    finally:
        print(without_passwords(shown.getvalue()), end="")


def _write_hydra_folder(config: DictConfig) -> None:
    """Write what Hydra would write of a run, which would keep passwords."""
    settings = HydraConfig.get()
    folder = Path(settings.runtime.output_dir) / ".hydra"
    save_config(config, folder / "config.yaml")
    save_config(OmegaConf.create({"hydra": settings}), folder / "hydra.yaml")
    save_config(OmegaConf.create(settings.overrides.task), folder / "overrides.yaml")
