"""Checks of the machine: versions, processor, memory, disk."""

import os
import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, version

import joblib
import psutil

from sidebyside import environment, paths
from sidebyside.engine.training.numerics import CLASSES, resolve
from sidebyside.execution.health.findings import Finding
from sidebyside.files import free_space

_DECIDING = ("tensorflow", "keras", "numpy")  # versions that are in every run key
_OTHERS = ("mlflow", "dvc", "hydra-core")
_OF_A_WORKER = 800  # MiB, TensorFlow's
_SMALL_DISK, _SMALLER_DISK = 5e9, 1e9  # bytes
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9_.-]+)==(?P<version>[^\s;\\]+)", re.MULTILINE)


def versions() -> Finding:
    """Look whether the packages are those that are pinned."""
    python = ".".join(map(str, sys.version_info[:3]))
    found: dict[str, str] = {}
    for name in (*_DECIDING, *_OTHERS):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            again = "pip install --require-hashes -r requirements.lock"
            return Finding("wrong", f"Python {python}, {name} isn't installed", again)
    said = f"Python {python}, {', '.join(f'{name} {own}' for name, own in found.items())}"
    lock = paths.root() / "requirements.lock"
    if not lock.is_file():
        return Finding("good", said)
    pinned: dict[str, list[str]] = {}  # several where it depends on Python's version
    for own in _PIN.finditer(lock.read_text()):
        pinned.setdefault(own["name"], []).append(own["version"])
    others = [name for name in found if found[name] not in pinned.get(name, [found[name]])]
    if not others:
        return Finding("good", said)
    named = ", ".join(f"{name} {' or '.join(pinned[name])}" for name in others)
    other_bits = " Runs get other keys." if set(others) & set(_DECIDING) else ""
    return Finding(
        "note",
        f"{said}; requirements.lock has {named}.{other_bits}",
        "make setup, or pip install --require-hashes -r requirements.lock",
    )


def cores() -> Finding:
    """Look at how many CPUs there are for workers."""
    usable, all_of_them = int(joblib.cpu_count()), os.cpu_count() or 1
    said = f"{usable} of {all_of_them} CPUs may be used: {usable} runs at a time"
    return Finding("good", said)


def load() -> Finding:
    """Look whether others compute here, which makes times longer than a plan says."""
    now = os.getloadavg()[0]
    usable = int(joblib.cpu_count())
    said = f"{now:.1f} processes want a CPU now"
    if now > 2 * usable:
        return Finding("note", said, "times of a plan won't be kept until others end")
    return Finding("good", said)


def numeric_class() -> Finding:
    """Look which numeric class runs have here."""
    here = resolve("auto")
    if here == CLASSES[0]:
        return Finding("good", here)
    return Finding(
        "note",
        f"{here}, not {CLASSES[0]}: other bits than in committed results, with the same findings",
        "docs/verify.md counts the predictions that differed on such a machine",
    )


def onednn() -> Finding:
    """Look whether channels_first can be trained."""
    if not environment.is_x86():
        return Finding(
            "note",
            f"{platform.machine()}: TensorFlow has no oneDNN by default, "
            "and channels_first won't train",
            "choose data_format=channels_last",
        )
    if environment.onednn() == "0":
        return Finding(
            "wrong",
            f"off by {environment.ONEDNN}=0: channels_first won't train, runs get other keys",
            f"unset {environment.ONEDNN}",
        )
    return Finding("good", "on")


def memory() -> Finding:
    """Look whether all workers have room."""
    free = psutil.virtual_memory().available / 2**20
    workers = int(joblib.cpu_count())
    said = f"{free:.0f} MiB free, {_OF_A_WORKER} or more for each of {workers} workers"
    if free < _OF_A_WORKER * workers:
        fewer = max(1, int(free // _OF_A_WORKER))
        return Finding("note", said, f"hydra.launcher.workers={fewer}, or end other programs")
    return Finding("good", said)


def disk() -> Finding:
    """Look whether the home has room."""
    home = paths.home()
    free = free_space(home)
    said = f"{free / 1e9:.1f} GB free at {home}"
    if free < _SMALLER_DISK:
        return Finding("wrong", said, "make room: sidebyside gc, dvc gc --workspace")
    if free < _SMALL_DISK:
        return Finding("note", said, "sidebyside gc tells what isn't needed")
    return Finding("good", said)
