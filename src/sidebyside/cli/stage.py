"""A stage script as a Hydra app: from any working directory, with a sentence for a mistake."""

import difflib
import functools
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from sidebyside import paths
from sidebyside.config.presets import refuse_pinned
from sidebyside.errors import NO_ROOM, UserError, disk_is_full
from sidebyside.redaction import passwords_hidden, save_config, without_passwords
from sidebyside.storage import store
from sidebyside.tracking.liveness import end_with_dvc

_USAGE = 2  # the exit code for a mistake of the user's
_AGAIN = 0.1  # seconds
INTERRUPTED = 130  # the shell's exit code for Ctrl-C
_GROUPS = ("dataset", "model", "optimizer", "preset", "study", "training", "tracking")


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
            if config.launch is not None:  # in a worker: the sweeper collects what goes wrong
                with passwords_hidden():
                    task(config)
                return
            with user_errors_reported():
                if config.preset is not None:
                    by_hand = HydraConfig.get().overrides.task
                    keys = [override.lstrip("+~").partition("=")[0] for override in by_hand]
                    refuse_pinned(root / "conf", [config.preset.name], keys)
                task(config)

        def start() -> None:
            set_environment(root)
            _make_interruptible()
            end_with_dvc()
            logging.raiseExceptions = False  # a log that can't be written is no reason for pages
            with user_errors_reported():
                store.check_writable()
                _check_readable(sys.argv[1:])
                check_choices(root / "conf", sys.argv[1:])
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


def set_environment(root: Path) -> None:
    """Set what configs, TensorFlow and the processes started later take from the environment."""
    os.environ["SIDEBYSIDE_ROOT"] = str(root)
    os.environ["SIDEBYSIDE_HOME"] = str(paths.home())
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Results are promised bit for bit on a CPU; a GPU would also not survive the fork.
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    # A pickle runs what it likes when it is opened, and nothing here is kept as one.
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"


@contextmanager
def user_errors_reported() -> Iterator[None]:
    """End the program with a sentence: exit code 2 for what the user can remove, 130 for Ctrl-C."""
    try:
        with passwords_hidden():
            yield
    except KeyboardInterrupt:
        print(
            "\nInterrupted: what is finished is kept. The same command again goes on.",
            file=sys.stderr,
        )
        raise SystemExit(INTERRUPTED) from None
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(_USAGE) from None
    except PermissionError as error:
        print(
            f"error: No permission to write {error.filename}: change the permissions there, or "
            "set SIDEBYSIDE_HOME to a folder of yours.",
            file=sys.stderr,
        )
        raise SystemExit(_USAGE) from None
    except Exception as error:
        if not disk_is_full(error):
            raise
        print(f"error: {NO_ROOM} The run store is in {paths.home()}.", file=sys.stderr)
        raise SystemExit(_USAGE) from None


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


def check_choices(conf: Path, arguments: list[str]) -> None:
    """Raise a UserError for a config group's unknown name, which Hydra would report at length."""
    for argument in arguments:
        group, equals, names = argument.lstrip("+").partition("=")
        if not equals or group not in _GROUPS:
            continue
        known = sorted(path.stem for path in (conf / group).glob("*.yaml"))
        for name in names.split(","):
            if not any(sign in name for sign in "$(){}[]"):  # Hydra's own functions and lists
                _check_choice(group, name.strip("'\" "), known)


def _check_choice(group: str, name: str, known: list[str]) -> None:
    if name in known or name == "null":
        return
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    hint = f" (did you mean {' or '.join(near)}?)" if near else ""
    raise UserError(
        f"{group}={name} is unknown{hint}. Known are {', '.join(known)}; another one is a new "
        f"file in conf/{group}/."
    )
