"""What ``--help`` and the shell's completion say of every command."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import click
import psutil
import pytest

from sidebyside.cli.care.help import SHORT
from sidebyside.cli.main import _COMMANDS, commands
from support.projects import SOURCE, copy_project, environment

COMMANDS = commands()
WITHIN = 1  # second of a processor, whatever else the machine does; 0.3 by itself
WAITED = 20  # seconds, and nothing is waited for


def everything():
    """Return all commands and those below them, by what is typed."""
    context = click.Context(COMMANDS)
    found = {name: COMMANDS.get_command(context, name) for name in _COMMANDS}
    for name, own in list(found.items()):
        below = own.commands if isinstance(own, click.Group) else {}
        found |= {f"{name} {other}": command for other, command in below.items()}
    return found


@pytest.mark.parametrize(("name", "command"), everything().items(), ids=list(everything()))
def test_each_help_ends_with_an_example(name, command):
    said = command.get_help(click.Context(command, info_name=f"sidebyside {name}"))
    assert "example" in said
    assert f"sidebyside {name.partition(' ')[0]}" in " ".join(said.split()).partition("example")[2]


def test_the_list_of_commands_says_what_each_is_for_and_which_exit_codes_there_are():
    said = COMMANDS.get_help(click.Context(COMMANDS, info_name="sidebyside"))
    assert "exit codes: 0 done; 1" in " ".join(said.split())
    for name in _COMMANDS:
        assert f"  {name} " in said
    for name, text in SHORT.items():
        module = type(COMMANDS).get_command(COMMANDS, click.Context(COMMANDS), name)
        assert module is not None
        assert module.get_short_help_str(200).split()[:2] == text.split()[:2]


def test_the_documented_list_of_commands_is_this_one(monkeypatch):
    monkeypatch.syspath_prepend(SOURCE / "docs")
    try:
        from commands import FOLDER, help_text

        assert (FOLDER / "help.md").read_text() == help_text(), "make docs brings it up to date"
    finally:
        sys.modules.pop("commands", None)


def completed(words: str, shell: str = "bash") -> list[str]:
    """Return what a shell would offer for the last of these words."""
    done = subprocess.run(
        [Path(sys.executable).with_name("sidebyside")],
        env=os.environ
        | {
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
            "_SIDEBYSIDE_COMPLETE": f"{shell}_complete",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.removeprefix("plain,") for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_a_shell_completes_commands_options_and_overrides():
    assert completed("sidebyside do") == ["doctor"]
    assert completed("sidebyside plan stu") == ["study="]
    assert completed("sidebyside plan study = fac") == ["factorial"]  # as bash cuts it
    assert "study=factorial" in completed("sidebyside submit study=fac", "zsh")
    assert completed("sidebyside compare --study fac") == ["factorial"]
    assert "model=mlp_784" in completed("sidebyside summary model=mlp_", "zsh")
    assert "study=factorial" in completed("sidebyside report study=fac", "zsh")
    assert completed("sidebyside data check fash") == ["fashion_mnist"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [["--help"], ["status"], ["plan", "--help"], ["gc", "--help"]]
)
def test_the_first_words_come_soon(project, tmp_path, arguments):
    began = time.monotonic()
    with subprocess.Popen(
        [Path(sys.executable).with_name("sidebyside"), *arguments],
        env=environment(project, tmp_path),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        used = psutil.Process(process.pid).cpu_times()
        assert time.monotonic() - began < WAITED
        process.stdout.read()
    assert used.user + used.system < WITHIN


def test_no_command_imports_tensorflow_or_mlflow_to_say_what_it_does():
    names = ", ".join(repr(name) for name in _COMMANDS)
    code = f"""
import sys
from sidebyside.cli.main import commands as everything
import click
commands = everything()
for name in [{names}]:
    commands.get_command(click.Context(commands), name)
sys.exit(bool({{"tensorflow", "keras", "mlflow", "matplotlib", "pandas"}} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == 0


@pytest.mark.slow
def test_a_script_lists_what_can_be_chosen_and_nothing_else(tmp_path):
    project = copy_project(tmp_path / "project")
    package = project / ".venv" / "lib" / "package"
    package.mkdir(parents=True)
    (package / "settings.yaml").write_text("a: 1\n")
    said = subprocess.run(
        [sys.executable, "pipelines/train.py", "--help"],
        cwd=project,
        env=environment(project, tmp_path),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    groups, config = said.split("== Config ==")
    folders = {path.parent for path in (project / "conf").glob("*/*.yaml")}
    assert set(re.findall(r"^(\S+): ", groups, flags=re.MULTILINE)) == {own.name for own in folders}
    assert "\n  epochs: 3\n" in config
