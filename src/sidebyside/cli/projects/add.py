"""``sidebyside add``: a model, a dataset or a study of one's own, in a file that works."""

from pathlib import Path

import click

from sidebyside import paths
from sidebyside.cli.projects.laying import check_module, lay_down, model_files, rendered
from sidebyside.errors import UserError

_MARK = "sidebyside add model"  # in dvc.yaml, above the networks of one's own
_PLAIN = ("conv_pair", "mlp")  # what is compared where there is no network of one's own


@click.group(
    "add", short_help="Add a model, a dataset or a study of your own, in a file that works."
)
def command() -> None:
    """Add a model, a dataset or a study of your own: a commented file that works as it is."""


@command.command("model", epilog="example: sidebyside add model wide_net")
@click.argument("name")
def model(name: str) -> None:
    """Write NAME.py with a network and conf/model/NAME.yaml with its arguments."""
    root = _project()
    check_module(_checked("model", name), root)
    _add(root, model_files(name))
    _depend(root, f"{name}.py")
    print(f"Look at it with: sidebyside summary model={name}")


@command.command("dataset", epilog="example: sidebyside add dataset photos")
@click.argument("name")
def dataset(name: str) -> None:
    """Write conf/dataset/NAME.yaml, which says how to have it written of data of yours."""
    root = _project()
    content = rendered("dataset.yaml", name=_checked("dataset", name))
    _add(root, {f"conf/dataset/{name}.yaml": content})
    print(f"Look at it with: sidebyside data check {name}")


@command.command("study", epilog="example: sidebyside add study width")
@click.argument("name")
def study(name: str) -> None:
    """Write conf/study/NAME.yaml, which compares the project's own models."""
    root = _project()
    own = sorted(path.stem for path in (root / "conf" / "model").glob("*.yaml"))
    is_library = paths.conf() == paths.library_conf()
    models = _PLAIN if is_library or not own else (*own, _PLAIN[0])
    content = rendered("study.yaml", name=_checked("study", name), models=models)
    _add(root, {f"conf/study/{name}.yaml": content})
    print(f"Train it with: python pipelines/train.py -m study={name}")


def _project() -> Path:
    root = paths.root()
    if not paths.is_project(root):
        raise UserError(f"{root} is no project, with conf/ and params.yaml: sidebyside init first.")
    return root


def _checked(what: str, name: str) -> str:
    """Return a name that can be chosen on a command line, and that the library hasn't taken."""
    from sidebyside.config.command_line.arguments import check_choosable

    check_choosable(what, name)
    if (paths.library_conf() / what / f"{name}.yaml").is_file():
        raise UserError(f"{what}={name} is one of the library's: choose another name.")
    return name


def _add(root: Path, files: dict[str, str]) -> None:
    lay_down(root, files)
    print("\n".join(files))


def _depend(root: Path, file: str) -> None:
    """Let the stage train of dvc.yaml depend on a network of one's own."""
    path = root / "dvc.yaml"
    lines = path.read_text().splitlines(keepends=True) if path.is_file() else []
    at = next((number for number, line in enumerate(lines) if _MARK in line), None)
    if at is None:
        print(f"With dvc repro, add {file} to the deps of the stage train in dvc.yaml.")
        return
    indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    lines.insert(at + 1, f"{indent}- {file}\n")
    path.write_text("".join(lines))
