"""The command ``sidebyside``: look, predict, export, submit, compare, verify and browse."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module

import click
from click.exceptions import Exit

from sidebyside.cli.program import collect_seldom, user_errors_reported
from sidebyside.environment import set_environment
from sidebyside.errors import UserError

_HELP = "Look at networks and try them, and hold what studies found against more runs."
_OF_LAUNCHES = ("submit", "status", "wait", "cancel")
_OF_PLANS = ("plan", "why")
_OF_CARE = ("doctor", "gc")
_COMMANDS = (
    *("data", "summary", "samples", "predict", "export", "compare", "sync", "verify", "ui"),
    *_OF_LAUNCHES,
    *_OF_PLANS,
    *_OF_CARE,
)
_FOLDERS = {
    **dict.fromkeys(_OF_LAUNCHES, "submitted"),
    **dict.fromkeys(_OF_PLANS, "plans"),
    **dict.fromkeys(_OF_CARE, "care"),
}


class _Commands(click.Group):
    """Commands that are imported when they are asked for, each from the module of its name."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module = ".".join(filter(None, ["sidebyside.cli", _FOLDERS.get(name), name]))
        command: click.Command = import_module(module).command
        return command


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, which is the program's own unless ``arguments`` are given."""
    collect_seldom()
    set_environment()
    commands = _Commands("sidebyside", help=_HELP, no_args_is_help=False)
    given = list(sys.argv[1:] if arguments is None else arguments)
    with (
        user_errors_reported(),
        _usage_errors_reported(),
        commands.make_context("sidebyside", given) as context,
    ):
        commands.invoke(context)


@contextmanager
def _usage_errors_reported() -> Iterator[None]:
    """Make a UserError, which is one line, of what click has to say on a command line."""
    try:
        yield
    except Exit as ended:  # --help
        raise SystemExit(ended.exit_code) from None
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        command = context.command_path if context else "sidebyside"
        message = " ".join(error.format_message().split()).rstrip(".")
        raise UserError(f"{message}: `{command} --help` tells what can be given.") from None


if __name__ == "__main__":
    main()
