"""What a shell completes KEY=VALUE by: config groups, and the files that there are in them."""

import click
from click.shell_completion import CompletionItem

from sidebyside import paths


def overrides(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete "stu" to "study=" and "study=fac" to "study=factorial".

    Bash takes the = for the end of a word, so that "study" and "=" are words of their own there.
    """
    given = [str(own) for own in context.params.get(str(parameter.name)) or ()]
    group, equals, begun = incomplete.partition("=")
    if incomplete == "=" and given:
        return _choices(given[-1], "", "")
    if given[-1:] == ["="] and len(given) > 1:
        return _choices(given[-2], incomplete, "")
    if equals:
        return _choices(group, begun, f"{group}=")
    places = (path for folder in paths.conf_folders() for path in folder.iterdir())
    groups = sorted({path.name for path in places if path.is_dir()} - {"__pycache__"})
    return [CompletionItem(f"{own}=") for own in groups if own.startswith(incomplete)]


def study(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of a study."""
    return _choices("study", incomplete, "")


def dataset(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of a dataset."""
    return _choices("dataset", incomplete, "")


def _choices(group: str, begun: str, before: str) -> list[CompletionItem]:
    names = paths.conf_names(group)
    return [CompletionItem(f"{before}{name}") for name in names if name.startswith(begun)]


overrides_argument = click.argument(
    "overrides", nargs=-1, metavar="[KEY=VALUE]...", shell_complete=overrides
)
