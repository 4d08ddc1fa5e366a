"""The source of models of one's own, which decides what they are and so is in run keys."""

import ast
import hashlib
import os
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping, Set
from importlib.machinery import PathFinder
from importlib.metadata import packages_distributions, version
from pathlib import Path
from types import ModuleType

from sidebyside import paths
from sidebyside.engine.blocks import Instance
from sidebyside.errors import UserError

_SOURCE = ".py"
_BY_TIME, _LOW_BITS = 0, 2**32 - 1  # of the head of a .pyc file, see PEP 552
_IN_EVERY_KEY = {"keras", "numpy", "sidebyside", "tensorflow"}  # by version or by source

_known: dict[str, dict[str, str]] = {}  # what `own_sources` gives, by the name at the top


def own_sources(model: object) -> dict[str, str]:
    """Return what decides a model of one's own besides its arguments, nothing for other models.

    The SHA-256 of the file of its module, or of all modules of its package, with those of the
    project that they import; of an installed package name and version, also of one that they
    import. A path is given from the project's root where it lies in it.

    An edit changes nothing until `take_sources` is called: neither for what a sweep adds, nor for
    what a process has imported.
    """
    if not isinstance(model, Instance):
        return {}
    top = _top(model)
    if top not in _known:
        _known[top] = _read(top)
    return _known[top]


def take_sources(models: Iterable[object]) -> None:
    """Let models of one's own be what their files say now, as a launch begins.

    Raises
    ------
    UserError
        If this process has imported one of the files and it was edited since: what is imported
        stays, and graphs that were made of it.
    """
    for top in sorted({_top(model) for model in models if isinstance(model, Instance)}):
        known, now = _known.get(top, {}), _read(top)
        edited = [
            name
            for name, module in _imported(now).items()
            if (now[name] != known[name] if name in known else _was_edited(module))
        ]
        if edited:
            raise UserError(_restart(edited))
        _known[top] = now


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
    if not isinstance(model, Instance):
        return
    known, top = own_sources(model), _top(model)
    if not _imported(known):
        known = _read(top)
    if changed := _unlike(known, sources):
        if not _unlike(_read(top), sources):
            raise UserError(_restart(changed))
        raise UserError(
            f"{', '.join(changed)} changed since run {key[:12]} was trained, so its network can't "
            "be made again: bring back what was there, or train it again."
        )


def _unlike(digests: Mapping[str, str], sources: Mapping[str, str]) -> list[str]:
    """Return what isn't as a run's identity has it, which may be of before packages were in it."""
    known = {name: digests[name] for name in digests if name in sources or name.endswith(_SOURCE)}
    return [name for name, digest in known.items() if sources.get(name) != digest]


def _restart(edited: Iterable[str]) -> str:
    return (
        f"{', '.join(edited)} changed since this process imported it, and what is imported stays: "
        "restart Python, of a notebook the kernel, and run this again."
    )


def _imported(names: Iterable[str]) -> dict[str, ModuleType]:
    """Return those of some files that this process has imported, with the modules."""
    files = {os.path.realpath(paths.root() / own): own for own in names if own.endswith(_SOURCE)}
    endings = {os.path.basename(own) for own in files}
    found = {}
    for module in list(sys.modules.values()):
        file = getattr(module, "__dict__", {}).get("__file__") or ""
        if os.path.basename(file) in endings and (real := os.path.realpath(file)) in files:
            found[files[real]] = module
    return found


def _was_edited(module: ModuleType) -> bool:
    """Whether the file of a module is surely not the one that was imported.

    By size and time that Python notes where it keeps what it has compiled, which it does anew when
    it imports a file that was edited.
    """
    spec = getattr(module, "__spec__", None)
    if spec is None or not (spec.origin and spec.cached) or sys.dont_write_bytecode:
        return False
    try:
        with open(spec.cached, "r+b") as stream:  # nothing is noted where it can't be written
            kind, *noted = struct.unpack("<4xIII", stream.read(16))
        status = os.stat(spec.origin)
    except (OSError, struct.error):
        return False
    now = [int(status.st_mtime) & _LOW_BITS, status.st_size & _LOW_BITS]
    return kind == _BY_TIME and noted != now


def _top(model: Instance) -> str:
    return model.target.partition(".")[0]


def _read(top: str) -> dict[str, str]:
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
                waiting += [other for other in _imports(content) if other != name]
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


def _imports(content: bytes) -> Iterator[str]:
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
