"""The package where no clone is around it, and from Python."""

import importlib.util
import os
import re
import subprocess
import sys

import mlflow
import numpy as np
import pytest

from support.projects import SOURCE, TINY


@pytest.fixture(scope="module")
def own_project():
    """The module that tries a project of one's own."""
    spec = importlib.util.spec_from_file_location("own_project", SOURCE / "docs/own_project.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["own_project"] = module  # where its dataclasses look
    spec.loader.exec_module(module)
    yield module
    del sys.modules["own_project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory, own_project):
    """The wheel of this code."""
    return own_project.build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel):
    """A folder with what a wheel holds, and an environment that finds it."""
    target = wheel.parent / "installed"
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


@pytest.mark.slow
def test_a_project_of_ones_own_answers_within_minutes(own_project, wheel, tmp_path, one_thread):
    # Its environment finds the packages that are here; the wheel alone is installed there.
    shared = os.pathsep.join(path for path in sys.path if "site-packages" in path)
    alone = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_FORCE_REINSTALL": "1"}
    followed = list(own_project.follow(tmp_path, wheel, PYTHONPATH=shared, **alone))
    assert sum(seconds for _, _, seconds in followed) < 600
    said = {step.content.split()[0]: text for step, text, _ in followed}
    assert "Total params" in said["sidebyside"]
    assert re.search(r"\.html\n- Chosen by validation error: model=\w+, with", said["ls"])
    assert re.search(r"metrics/conv_pair\.json .*\n.*metrics/my_net\.json ", said["dvc"])
    assert len(re.findall(r"^ *(?:my_net|conv_pair) +[01] +\d", said["python"], flags=re.M)) == 4
    client = mlflow.MlflowClient(f"sqlite:///{next(tmp_path.rglob('mlflow.db'))}")
    (own,) = client.search_logged_models(["1"], "tags.variant = 'model=my_net'")
    mlflow.set_tracking_uri(client.tracking_uri)
    loaded = mlflow.pyfunc.load_model(own.model_uri)  # my_net.py can't be imported here
    assert loaded.predict(np.array(loaded.input_example, np.float32)).shape == (1, 10)
    document = (SOURCE / "docs" / "own_project.md").read_text()
    for block in own_project.blocks(wheel.name):
        assert block in document, "python docs/own_project.py writes the page anew"
