"""The package where no clone is around it, and from Python."""

import os
import re
import subprocess
import sys

import pytest

from support.projects import SOURCE, TINY


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with what a wheel holds, and an environment that finds it."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=SOURCE, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    target = folder / "installed"
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet", "--target"]
    subprocess.run([*install, str(target), str(wheel)], check=True, capture_output=True)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SIDEBYSIDE")}
    return kept | {"PYTHONPATH": str(target)}


def python(environment, folder, *arguments) -> str:
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command,
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_wheel_holds_what_its_commands_need(installed, tmp_path):
    where = python(installed, tmp_path, "-c", "import sidebyside; print(sidebyside.__file__)")
    assert str(SOURCE) not in where
    said = python(installed, tmp_path, "-m", "sidebyside.cli.main", "summary", "model=mlp")
    assert "Total parameters" in said
    picture = tmp_path / "samples.png"
    python(installed, tmp_path, "-m", "sidebyside.cli.main", "samples", "--output", str(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "data" / "processed" / "mnist5k").is_dir()


@pytest.mark.slow
def test_the_lines_in_the_documentation_run(installed, tmp_path):
    document = (SOURCE / "docs" / "python.md").read_text()
    (lines,) = re.findall(r"```python\n(.*?)```", document, flags=re.DOTALL)
    few = ("model.kernel_size=3", "model.dropout=true")
    for given, more in (('"training.epochs=1"', TINY), ('"training.seeds=2"', TINY + few)):
        assert given in lines
        lines = lines.replace(given, ", ".join([given, *map(repr, more)]))
    script = tmp_path / "lines.py"
    script.write_text(lines)
    said = python(installed, tmp_path, str(script))
    key, error = said.splitlines()[0].split()
    assert re.fullmatch("[0-9a-f]{12}", key)
    assert 0 < float(error) < 100
    assert (tmp_path / "reports" / "mnist5k" / "factorial" / "report.html").is_file()
