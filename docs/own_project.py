"""Make a project of one's own as a new user would: python docs/own_project.py.

Builds the wheel, goes through the steps in an empty folder, with an environment of its own, and
writes docs/own_project.md of them and of what each command printed.
"""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "own_project.md"
_WHEEL = "{wheel}"  # in a command, the wheel's file

_HEAD = """# A project of your own, in minutes

From an empty folder to an answer about a network of yours: what follows was done by
`python docs/own_project.py`, which wrote this page with what each command printed. It took
{total}, {install} of them for the installation, on {cores} cores that other work kept at a load of
{load:.1f}; {used} of it were processor time. A test does the same with every change,
but for the download of dependencies.
"""
_TAIL = """
## Where to go on

`params.yaml` selects the dataset, the study, epochs and seeds: `dvc exp run -S training.seeds=5`
trains what is missing, once the project is committed, which `dvc exp` needs
(`git add --all && git commit -m "A project"`). `sidebyside add model|dataset|study NAME` writes
further files that work as they are, and `sidebyside data add PATH --name NAME` describes images of
yours: [extending.md](extending.md). What is in `conf/` is yours alone; all other choices are those
of the library, which Hydra finds behind it (`pkg://sidebyside.conf`), and a file of the same name
in your `conf/` goes before the library's.
`pipelines/` holds the scripts of the stages; every stage depends on `requirements.txt`, which names
the version.
"""


@dataclass(frozen=True)
class Step:
    """What is done: text before it, then commands, or the content of a file."""

    text: str
    content: str
    file: str | None = None


STEPS = (
    Step(
        "An empty folder, an environment, and the package (`python -m hatchling build` makes the "
        "wheel in a clone, in `dist/`):",
        f"python -m venv .venv\n. .venv/bin/activate\npip install --quiet {_WHEEL}",
    ),
    Step("The project, under git and DVC:", "sidebyside init"),
    Step(
        "`my_net.py` is the network to start with. Any function will do that returns a Keras model "
        "from an image to a probability for each class; here is one with a shortcut:",
        '''"""A network with a shortcut."""

import keras


def build(input_shape, classes, data_format, filters):
    """Return a model from an image to a probability for each class."""
    options = {"padding": "same", "data_format": data_format}
    image = keras.Input(input_shape)
    x = keras.layers.Conv2D(filters, 3, activation="relu", **options)(image)
    x = keras.layers.MaxPooling2D(data_format=data_format)(x)
    y = keras.layers.Conv2D(filters, 3, activation="relu", **options)(x)
    y = keras.layers.Conv2D(filters, 3, **options)(y)
    x = keras.layers.ReLU()(keras.layers.Add()([x, y]))
    x = keras.layers.MaxPooling2D(data_format=data_format)(x)
    x = keras.layers.Flatten(data_format=data_format)(x)
    return keras.Model(image, keras.layers.Dense(classes, activation="softmax")(x))
''',
        "my_net.py",
    ),
    Step("It is built, and looked at:", "sidebyside summary model=my_net | tail -n 3"),
    Step(
        "The study that `params.yaml` selects holds it against a network of the library's, two "
        "seeds each, on 5 000 real digits:",
        "dvc repro",
    ),
    Step(
        "The answer, as `reports/mnist5k/first/report.html` says it with pictures to whoever opens "
        "it in a browser:",
        "ls reports/mnist5k/first/report.html\n"
        "grep '^- ' reports/mnist5k/first/comparison.md | head -n 3",
    ),
    Step("One row for each variant:", "dvc metrics show"),
    Step(
        "And in MLflow, which `sidebyside ui` shows in a browser:",
        """python - <<'END'
import mlflow

mlflow.set_tracking_uri("sqlite:///mlflow.db")
runs = mlflow.search_runs(search_all_experiments=True)
runs = runs[runs["tags.run_key"].notna() & runs["metrics.test_error"].notna()]
print(runs[["params.model", "params.seed", "metrics.test_error"]].to_string(index=False))
END""",
    ),
)


def build_wheel(folder: Path) -> Path:
    """Return the wheel of this code, which is built into a folder."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)  # noqa: S603
    (wheel,) = folder.glob("*.whl")
    return wheel


def follow(folder: Path, wheel: Path, **more: str) -> Iterator[tuple[Step, str, float]]:
    """Yield each step, what it printed and the seconds that it took.

    Parameters
    ----------
    folder : pathlib.Path
        An empty one.
    wheel : pathlib.Path
    **more : str
        Variables of the environment.
    """
    ours = ("SIDEBYSIDE", "DVC_", "MLFLOW_", "PYTHONPATH", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    path = os.pathsep.join([str(folder / ".venv" / "bin"), str(Path(sys.executable).parent)])
    environment = kept | {"PATH": f"{path}{os.pathsep}{kept['PATH']}"} | more
    for step in STEPS:
        began = time.monotonic()
        if step.file:
            (folder / step.file).write_text(step.content)
            yield step, "", 0
            continue
        commands = step.content.replace(_WHEEL, str(wheel))
        done = subprocess.run(  # noqa: S603
            ["/bin/bash", "-euo", "pipefail", "-c", commands],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{commands}\n{done.stdout}{done.stderr}")
        yield step, done.stdout.replace(str(folder), "~/own"), time.monotonic() - began


def blocks(wheel: str) -> list[str]:
    """Return what the page shows to be pasted, one block a step."""
    return [
        f"```python\n# {step.file}\n{step.content}```"
        if step.file
        else f"```sh\n{step.content.replace(_WHEEL, wheel)}\n```"
        for step in STEPS
    ]


def page(followed: Sequence[tuple[Step, str, float]], wheel: str) -> str:
    """Return the page on steps that were followed."""
    seconds = [took for _, _, took in followed]
    cores = len(os.sched_getaffinity(0))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    head = _HEAD.format(
        total=_time(sum(seconds)),
        install=_time(seconds[0]),
        cores=cores,
        load=os.getloadavg()[2],
        used=_time(used.ru_utime + used.ru_stime),
    )
    parts = [head]
    for (step, said, took), block in zip(followed, blocks(wheel), strict=True):
        parts.append(f"{step.text}\n\n{block}\n")
        if said:
            lines = "\n".join(line.rstrip() for line in said.rstrip().splitlines())
            parts.append(f"```text\n{lines}\n```\n")
        if took > 5:
            parts.append(f"({_time(took)})\n")
    return "\n".join(parts) + _TAIL


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def main() -> None:
    """Follow the steps and write the page."""
    with TemporaryDirectory() as own, TemporaryDirectory() as built:
        wheel = build_wheel(Path(built))
        PAGE.write_text(page(list(follow(Path(own), wheel)), wheel.name))
    print(PAGE)


if __name__ == "__main__":
    main()
