"""The GPUs of this machine: which there are, and what a run's identity says of one."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from sidebyside.engine.training.determinism import no_gpu
from sidebyside.engine.training.gpus import Device, found
from sidebyside.environment import gpus_chosen, has_gpu
from sidebyside.errors import UserError
from sidebyside.stderr import greetings_hidden
from sidebyside.storage import keys

_ASK = "import json; from sidebyside.engine.training.gpus import found; print(json.dumps(found()))"


def card_for(device: Device) -> dict[str, Any] | None:
    """Return what decides bits of the GPU that runs are trained on; None on the CPU.

    Raises
    ------
    UserError
        If there is none, or there are two kinds, of which a run would get any.
    """
    return None if device == "cpu" else kind(_found())


def kind(cards: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what all GPUs are, of which there has to be one; see `card_for`."""
    if not cards:
        raise no_gpu()
    if other := next((card for card in cards if card != cards[0]), None):
        raise UserError(
            f"training.device=gpu won't do: there are a {cards[0]['name']} and a {other['name']} "
            "here, which give other bits. Choose those of one kind, by CUDA_VISIBLE_DEVICES=0 for "
            "instance."
        )
    return cards[0]


def places() -> list[str]:
    """Return for each GPU what CUDA_VISIBLE_DEVICES has to be for it alone.

    Raises
    ------
    UserError
        If there is none.
    """
    if not _found():
        raise no_gpu()
    return names(len(_found()), gpus_chosen())


def names(count: int, chosen: str | None) -> list[str]:
    """Return what CUDA calls so many GPUs, of those chosen in its own words; None is all."""
    return chosen.split(",")[:count] if chosen else [str(number) for number in range(count)]


def usable(identity: Mapping[str, Any]) -> bool:
    """Whether a run was trained on a GPU, and there is one to do it again."""
    return keys.on_gpu(identity) and bool(_found())


@cache  # asking takes seconds
def _found() -> list[dict[str, Any]]:
    if not has_gpu():
        return _found_by_another_process()
    with greetings_hidden():
        return found()


def _found_by_another_process() -> list[dict[str, Any]]:
    """Ask a process of its own: one that has looked for GPUs sees no others later."""
    environment = {name: own for name, own in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    if (chosen := gpus_chosen()) is not None:
        environment["CUDA_VISIBLE_DEVICES"] = chosen
    source = str(Path(__file__).resolve().parents[2])
    others = environment.get("PYTHONPATH", "")
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [source, others]))
    command = [sys.executable, "-c", _ASK]
    done = subprocess.run(  # noqa: S603 - fixed arguments
        command, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise UserError(
            f"training.device=gpu won't do: looking for GPUs ended with {last!r}. Choose "
            "training.device=cpu, or see docs/gpu.md for what it needs."
        )
    cards: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return cards
