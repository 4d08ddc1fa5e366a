"""Write what commands say into docs/commands/: python docs/commands.py, then docs/embed.py.

A small sweep is trained for it in a temporary home, which takes a minute; ``python docs/commands.py
help`` writes the list of commands alone.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path(__file__).with_name("commands")
_SWEEP = ("optimizer=adam,sgd", "seed=0,1", "model=conv_single", "training.epochs=2")
_WITHIN = 300  # seconds


class Said:
    """What commands say at a home."""

    def __init__(self, home: Path) -> None:
        self._home = home
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._environment = os.environ | {
            "SIDEBYSIDE_ROOT": str(ROOT),
            "SIDEBYSIDE_HOME": str(home),
            "COLUMNS": "100",
            "PATH": path,
        }

    def by(self, *commands: str) -> str:
        """Return commands with what they say, as Markdown."""
        lines = ["```text"]
        for command in commands:
            done = subprocess.run(  # noqa: S603 - commands of ours
                ["sh", "-c", command],  # noqa: S607 - as somebody types it
                env=self._environment,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            said = done.stdout.replace(str(self._home), "~/home").replace(str(ROOT), "~/project")
            lines += [f"$ {command}", *(line.rstrip() for line in said.splitlines())]
        return "\n".join([*lines, "```", ""])

    @contextmanager
    def training(self, *overrides: str) -> Iterator[None]:
        """Have a sweep running that has come to its first epochs."""
        command = [sys.executable, "pipelines/train.py", "-m", *overrides]
        with subprocess.Popen(  # noqa: S603 - a script of ours
            command, env=self._environment, cwd=ROOT, stderr=subprocess.DEVNULL
        ) as process:
            deadline = time.monotonic() + _WITHIN
            while len(list(self._home.glob("runs/.unfinished/*/progress.json"))) < 2:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise SystemExit("the sweep doesn't train")
                time.sleep(0.2)
            yield
            process.send_signal(signal.SIGINT)


def help_text() -> str:
    """Return what ``sidebyside --help`` says, as Markdown."""
    import click

    from sidebyside.cli.main import commands

    said = commands().get_help(click.Context(commands(), info_name="sidebyside", terminal_width=80))
    return f"```text\n$ sidebyside --help\n{said}\n```\n"


def main() -> None:
    """Write all files."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "help.md").write_text(help_text())
    if sys.argv[1:] == ["help"]:
        return
    sweep = " ".join(_SWEEP)
    with TemporaryDirectory() as folder:
        said = Said(Path(folder))
        texts = {"head": said.by(f"python pipelines/train.py -m {sweep} 2>&1 >/dev/null")}
        texts["plan"] = said.by(f"sidebyside plan {sweep.replace('0,1', '0,1,2')}")
        texts["why"] = said.by(f"sidebyside why {sweep.replace('epochs=2', 'epochs=2,4')}")
        with said.training("training.epochs=50", "seed=0,1", "model=conv_single"):
            texts["status"] = said.by("sidebyside status")
        texts["gc"] = said.by("sidebyside gc", "sidebyside gc --yes | tail -1")
        texts["doctor"] = said.by("sidebyside doctor")
    for name, text in texts.items():
        (FOLDER / f"{name}.md").write_text(text)


if __name__ == "__main__":
    main()
