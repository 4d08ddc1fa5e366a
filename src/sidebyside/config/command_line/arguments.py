"""The command line of a stage script, refused before any work where it can't be meant."""

import argparse
import difflib
import shlex
from collections.abc import Collection, Sequence

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from sidebyside import paths
from sidebyside.errors import UserError
from sidebyside.redaction import without_passwords

_OPTIONS = ("--multirun", "-m", "--cfg", "--info", "--help", "--resolve", "--package", "--run")
_MULTIRUN = "hydra.mode=MULTIRUN"  # the same as -m
_LAUNCHER = "hydra.launcher"
_LONGEST = 100  # letters of a name
_ELSEWHERE = {  # what no run is trained by
    "allow_partial": "as it is for compare.py",
    "select": "as dvc.yaml reads it from params.yaml; a command takes dataset= and study=",
}


def check_arguments(arguments: Sequence[str], script: str, reads: Collection[str] | None) -> None:
    """Refuse a command line that Hydra would refuse at length, or take and ignore.

    Parameters
    ----------
    arguments : sequence of str
    script : str
        The script's file, "compare.py" for instance.
    reads : collection of str or None
        The keys at the top of the config that the script reads; None is all that decides a run,
        of the script that trains.

    Raises
    ------
    UserError
    """
    options, given = _parsed_options(arguments)
    if options.help or options.hydra_help or options.shell_completion:
        return
    multirun = options.multirun or _MULTIRUN in given
    _check_options(options, script)
    overrides = [_parsed(argument) for argument in given]
    if reads is not None and multirun:
        raise UserError(
            f"{script} isn't swept: leave out -m, which trains many runs, and give one value of "
            "each key."
        )
    if multirun:
        _refuse_swept_hydra(overrides)
    else:
        _refuse_several(overrides, script, reads)
    if not (options.cfg or options.info):
        _refuse_ignored(overrides, script, reads, multirun)


def check_values(overrides: Sequence[str]) -> None:
    """Raise a UserError for what is no override, or gives several values where one is wanted."""
    for override in map(_parsed, overrides):
        if override.is_sweep_override():
            text = _shown(override)
            raise UserError(f"{text} is several values, and one is wanted here. {_quoting(text)}")


def check_choosable(what: str, name: str) -> None:
    """Raise a UserError for a name of a config's file that no command line can choose.

    ``what`` is what the name was given as, "--name" or "model" for instance.
    """
    plain = paths.is_name(name) and len(name) <= _LONGEST
    if plain and not name.endswith((".yaml", ".yml")) and _is_text(name):
        return
    raise UserError(
        f"{what} {name} won't do: use letters, digits, _, . and -, up to {_LONGEST}, and "
        "nothing that is read as a number or ends in .yaml."
    )


def _is_text(value: str) -> bool:
    return isinstance(OverridesParser.create().parse_override(f"model={value}").value(), str)


def _parsed_options(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = get_args_parser()
    parser.exit_on_error = False
    try:
        options, rest = parser.parse_known_args(list(arguments))
    except argparse.ArgumentError as error:
        raise UserError(f"{error}.") from None
    for argument in rest:
        if argument.startswith("-"):
            near = difflib.get_close_matches(argument, _OPTIONS, n=1)
            hint = f", did you mean {near[0]}?" if near else ": --help tells which there are."
            raise UserError(f"{argument} is no option{hint}")
    if rest:
        first = options.overrides[-1] if options.overrides else rest[0]
        raise UserError(
            f"An option such as -m stands between {first} and {rest[0]}: put it before all of "
            f"them, -m {shlex.join([*options.overrides, *rest])}."
        )
    return options, list(options.overrides)


def _check_options(options: argparse.Namespace, script: str) -> None:
    if options.multirun and options.cfg:
        raise UserError(
            f"--cfg {options.cfg} shows the config of one run: leave out -m and give one value of "
            "each key."
        )
    if sum((options.run, options.multirun, bool(options.cfg), bool(options.info))) > 1:
        raise UserError("Of --run, -m, --cfg and --info a command takes one.")
    if options.resolve and not options.cfg:
        raise UserError(f"--resolve goes with --cfg alone: {script} --cfg job --resolve.")


def _parsed(argument: str) -> Override:
    """Return an override as Hydra reads it, which prints what it can't parse as it is."""
    shown = without_passwords(argument)
    try:
        return OverridesParser.create().parse_override(argument)
    except HydraException:
        key, equals, value = shown.partition("=")
        if not equals:
            raise UserError(
                f"{shown} sets nothing: write a key and its value without a space, {shown}=..."
            ) from None
        raise UserError(
            f"{key}={value} can't be read, as its value has signs with a meaning of their "
            f"own: put it in quotes, \"{key}='{value}'\"."
        ) from None


def _refuse_swept_hydra(overrides: Sequence[Override]) -> None:
    for override in overrides:
        if override.is_hydra_override() and override.is_sweep_override():
            raise UserError(
                f"{override.input_line} can't be swept, as it is of all runs: give one value, or "
                "the command once for each."
            )


def _refuse_several(
    overrides: Sequence[Override], script: str, reads: Collection[str] | None
) -> None:
    for override in overrides:
        text = _shown(override)
        if reads is None and override.key_or_group == "study" and override.value():
            raise UserError(
                f"{text} is a grid of runs, and without -m one run is trained: python "
                f"pipelines/{script} -m {text}."
            )
        if override.is_sweep_override():
            how = f"{script} takes one of a key"
            if reads is None:
                how = f"add -m to train each of them, python pipelines/{script} -m {text}"
            raise UserError(f"{text} is several values: {how}. {_quoting(text)}")


def _refuse_ignored(
    overrides: Sequence[Override], script: str, reads: Collection[str] | None, multirun: bool
) -> None:
    if reads is None:
        refuse_unused_seeds([str(override.input_line) for override in overrides])
    chosen = any(override.key_or_group == "study" for override in overrides)
    for override in overrides:
        text, key = _shown(override), override.key_or_group.replace("/", ".")
        top = key.partition(".")[0]
        if top == "study" and key != top and not chosen and (reads is None or top in reads):
            raise UserError(f"{text} is of a study, and none is chosen: add study=<its name>.")
        if reads is None:
            _refuse_untrained(text, key, script, multirun)
        elif not _is_read(key, top, reads):
            listed = ", ".join(sorted(own for own in reads if own != _LAUNCHER))
            raise UserError(
                f"{script} doesn't read {key}, so {text} would change nothing: leave it out. "
                f"It reads {listed}."
            )


def refuse_unused_seeds(overrides: Sequence[str]) -> None:
    """Raise a UserError for a number of seeds that runs without a study don't take."""
    given = [own for own in overrides if own.lstrip("+").startswith("training.seeds=")]
    taken = any(own.startswith("study=") or "${training.seeds}" in own for own in overrides)
    if given and not taken:
        raise UserError(
            f"{given[-1]} is of a study, and none is chosen: add study=<its name>, or sweep "
            "seed='range(0,5)'."
        )


def _refuse_untrained(text: str, key: str, script: str, multirun: bool) -> None:
    """Refuse what no run is trained by."""
    if why := _ELSEWHERE.get(key.partition(".")[0]):
        raise UserError(f"{script} doesn't read {key}: leave it out, {why}.")
    if key.startswith(_LAUNCHER) and not multirun:
        raise UserError(
            f"{text} is for many runs, and without -m one is trained, in this very process: "
            "add -m, or leave it out."
        )


def _is_read(key: str, top: str, reads: Collection[str]) -> bool:
    if key.startswith(_LAUNCHER):
        return _LAUNCHER in reads
    return top == "hydra" or top in reads


def _shown(override: Override) -> str:
    return without_passwords(str(override.input_line))


def _quoting(text: str) -> str:
    key, _, value = text.partition("=")
    return f"One value with a comma is put in quotes, \"{key}='{value}'\"."
