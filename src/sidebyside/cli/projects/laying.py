"""Files that are laid down from the templates that come with the code."""

import importlib.util
import keyword
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jinja2

from sidebyside import paths
from sidebyside.errors import UserError

_TEMPLATES = Path(__file__).resolve().parent / "templates"


def rendered(template: str, **values: Any) -> str:
    """Return the text of a template, ``model.py`` for instance."""
    folder = jinja2.FileSystemLoader(_TEMPLATES)
    # What is written is no HTML, so nothing is to be escaped.
    environment = jinja2.Environment(  # noqa: S701
        loader=folder, keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template(f"{template}.j2").render(values)


def scripts() -> dict[str, str]:
    """Return the scripts of the stages by their paths in a project."""
    packaged = _TEMPLATES / "pipelines"
    folder = packaged if packaged.is_dir() else paths.library_conf().parent / "pipelines"
    return {f"pipelines/{path.name}": path.read_text() for path in sorted(folder.glob("*.py"))}


def lay_down(folder: Path, files: Mapping[str, str]) -> None:
    """Write files by their paths in a folder.

    Raises
    ------
    UserError
        If one of them is there; then none is written.
    """
    check_absent(folder, files)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def check_absent(folder: Path, files: Iterable[str]) -> None:
    """Raise a UserError if one of these files, by their paths in a folder, is there."""
    if there := [name for name in files if (folder / name).exists()]:
        raise UserError(
            f"{folder / there[0]} is there already, and nothing is overwritten: delete it, or "
            "choose another folder or name."
        )


def model_files(name: str) -> dict[str, str]:
    """Return the files of a network of one's own, which is a module of this name."""
    return {
        f"{name}.py": rendered("model.py", name=name),
        f"conf/model/{name}.yaml": rendered("model.yaml", name=name),
    }


def check_module(name: str, folder: Path) -> None:
    """Raise a UserError for a name that can't be that of a module beside conf/."""
    if not name.isidentifier() or keyword.iskeyword(name):
        raise UserError(
            f"{name} can't be the name of a model's file: use letters, digits and _, as it is "
            "imported as a module of Python's."
        )
    found = importlib.util.find_spec(name)
    if found is not None and Path(found.origin or "").parent != folder:
        raise UserError(
            f"{name} is the name of a module that is installed, so a file {name}.py would hide it: "
            "choose another name."
        )
