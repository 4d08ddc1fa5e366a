"""The tutorial in docs/extending.md, block by block as somebody would paste it."""

import re
import subprocess
from pathlib import Path

import pytest

from support.projects import SOURCE, copy_project, environment

pytestmark = pytest.mark.slow

_BLOCK = re.compile(r"```(\w+)\n(.*?)```", flags=re.DOTALL)


def paste(block: str, folder: Path) -> str:
    """Run commands in a shell and return what they printed."""
    done = subprocess.run(
        ["bash", "-euc", block],
        cwd=folder,
        env=environment(folder, folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    for greeting in ("cuInit", "oneDNN custom operations"):
        assert greeting not in done.stdout, "TensorFlow is imported without a word"
    return done.stdout


def test_the_tutorial_does_what_it_says(tmp_path):
    folder = copy_project(tmp_path / "project")
    said = exported = ""
    for kind, block in _BLOCK.findall((SOURCE / "docs" / "extending.md").read_text()):
        if kind == "sh":
            said = paste(exported + block, folder)
            exported += "".join(re.findall(r"^export .*\n", block, flags=re.MULTILINE))
        elif kind == "text":
            for line in block.splitlines():
                assert line in said, said
        else:
            (name,) = re.findall(r"^# ([\w/]+\.\w+)$", block, flags=re.MULTILINE)
            (folder / name).write_text(block)  # all of it: who pastes doesn't leave out a comment
    report = (folder / "reports" / "shapes" / "shapes" / "report.html").read_text()
    assert "augmentation" in report
    assert (folder / "samples.png").read_bytes().startswith(b"\x89PNG")
    assert list((folder / "exports").glob("*.keras"))
