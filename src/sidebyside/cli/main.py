"""The command ``sidebyside``: plan, look, predict, export, submit, compare, verify and browse."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module

import click
from click.exceptions import Exit, NoArgsIsHelpError
from click.shell_completion import shell_complete

from sidebyside.cli.care.help import EXIT_CODES, SHORT, with_examples
from sidebyside.cli.program import collect_seldom, make_interruptible, user_errors_reported
from sidebyside.environment import set_environment
from sidebyside.errors import UserError

_HELP = (
    "Plan and watch what is trained, look at networks and try them, and hold what studies found "
    "against more runs."
)
_OF_NETWORKS = ("summary", "samples", "predict", "export")
_OF_LAUNCHES = ("submit", "status", "wait", "cancel")
_OF_PROJECTS = ("init", "add")
_OF_PLANS = ("plan", "why")
_OF_CARE = ("doctor", "gc")
_COMMANDS = (
    *_OF_PROJECTS,
    *("data", *_OF_NETWORKS, "compare", "report", "sync", "verify", "ui"),
    *_OF_LAUNCHES,
    *_OF_PLANS,
    *_OF_CARE,
)
_COMPLETE = "_SIDEBYSIDE_COMPLETE"  # set by the scripts of click that complete in a shell
_FOLDERS = {
    **dict.fromkeys(_OF_NETWORKS, "networks"),
    **dict.fromkeys(_OF_LAUNCHES, "submitted"),
    **dict.fromkeys(_OF_PROJECTS, "projects"),
    **dict.fromkeys(_OF_PLANS, "plans"),
    **dict.fromkeys(_OF_CARE, "care"),
}


class _Commands(click.Group):
    """Commands that are imported when they are asked for, each from the module of its name."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(_COMMANDS)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each command is for, without importing it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._short(context, name)) for name in _COMMANDS])

    def _short(self, context: click.Context, name: str) -> str:
        if name in SHORT:
            return SHORT[name]
        command = self.get_command(context, name)
        return command.get_short_help_str() if command else ""

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module = ".".join(filter(None, ["sidebyside.cli", _FOLDERS.get(name), name]))
        command: click.Command = import_module(module).command
        return with_examples(command, name)


def commands() -> click.Group:
    """Return all commands."""
    return _Commands("sidebyside", help=_HELP, epilog=EXIT_CODES, no_args_is_help=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, which is the program's own unless ``arguments`` are given."""
    collect_seldom()
    set_environment()
    if arguments is None:
        make_interruptible()
    program = commands()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if asked := os.environ.get(_COMPLETE):
        raise SystemExit(shell_complete(program, {}, "sidebyside", _COMPLETE, asked))
    with (
        user_errors_reported(),
        _usage_errors_reported(),
        program.make_context("sidebyside", given) as context,
    ):
        program.invoke(context)


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
        if isinstance(error, NoArgsIsHelpError):  # whose message is all that --help says
            message = "Missing command"
        raise UserError(f"{message}: `{command} --help` tells what can be given.") from None


if __name__ == "__main__":
    main()
