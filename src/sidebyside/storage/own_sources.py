"""The source of models of one's own, which decides what they are and so is in run keys."""

import ast
import hashlib
import sys
from collections.abc import Iterator, Mapping, Set
from functools import cache
from importlib.machinery import PathFinder
from importlib.metadata import packages_distributions, version
from pathlib import Path

from sidebyside import paths
from sidebyside.engine.blocks import Instance
from sidebyside.errors import UserError

_SOURCE = ".py"
_IN_EVERY_KEY = {"keras", "numpy", "sidebyside", "tensorflow"}  # by version or by source


def own_sources(model: object) -> dict[str, str]:
    """Return what decides a model of one's own besides its arguments, nothing for other models.

    The SHA-256 of the file of its module, or of all modules of its package, with those of the
    project that they import; of an installed package name and version, also of one that they
    import. A path is given from the project's root where it lies in it.
    """
    if not isinstance(model, Instance):
        return {}
    return _sources_of(model.target.partition(".")[0])


def check_unchanged(model: object, sources: Mapping[str, str], key: str) -> None:
    """Raise a UserError if a model of one's own isn't the one that a run was trained with.

    Parameters
    ----------
    model : Model or Instance
    sources : dict of str
        Of the run's identity.
    key : str
        The run's.
    """
    now = own_sources(model)
    known = {name: now[name] for name in now if name in sources or name.endswith(_SOURCE)}
    if changed := [name for name, digest in known.items() if sources.get(name) != digest]:
        raise UserError(
            f"{', '.join(changed)} changed since run {key[:12]} was trained, so its network can't "
            "be made again: bring back what was there, or train it again."
        )


@cache  # as imported: an edit during a long sweep changes nothing that is already running
def _sources_of(top: str) -> dict[str, str]:
    digests: dict[str, str] = {}
    elsewhere = set()
    waiting = [top]
    while waiting:
        modules = _modules(name := waiting.pop())
        if not modules:
            elsewhere.add(name)
        for path in modules:
            shown = _shown(path)
            if shown not in digests:
                content = path.read_bytes()
                digests[shown] = hashlib.sha256(content).hexdigest()
                waiting += [other for other in _imported(content) if other != name]
    if not digests:
        return _releases({top}) or {top: "not installed"}
    return digests | _releases(elsewhere - _IN_EVERY_KEY - sys.stdlib_module_names)


def _modules(top: str) -> list[Path]:
    """Return the files of a module or package by name, none of one that is installed."""
    root = str(paths.root())
    spec = PathFinder.find_spec(top, [root]) or PathFinder.find_spec(top)
    if spec is None:
        return []
    if spec.submodule_search_locations:
        folders = [Path(folder) for folder in spec.submodule_search_locations]
        files = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    else:
        files = [Path(spec.origin)] if spec.origin and spec.origin.endswith(_SOURCE) else []
    return [path for path in files if not _installed(path)]


def _installed(path: Path) -> bool:
    parts = set(path.parts)
    return bool(parts & {"site-packages", "dist-packages"}) or _of_python(path)


def _of_python(path: Path) -> bool:
    return path.is_relative_to(Path(ast.__file__).parent)


def _imported(content: bytes) -> Iterator[str]:
    """Yield the names of the modules and packages at the top that a source imports."""
    try:
        tree = ast.parse(content)
    except SyntaxError:  # which is told where the module is imported
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _shown(path: Path) -> str:
    root = paths.root()
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _releases(names: Set[str]) -> dict[str, str]:
    """Return of packages at the top those that are installed, by which name and version."""
    distributions = packages_distributions() if names else {}
    return {
        top: ", ".join(f"{name} {version(name)}" for name in distributions[top])
        for top in sorted(names & distributions.keys())
    }
