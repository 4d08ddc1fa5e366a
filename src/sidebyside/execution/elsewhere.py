"""Whether a run would be the same one on this machine as on the one that it was planned on."""

import socket
from collections.abc import Mapping, Sequence
from typing import Any

from sidebyside.engine.training.numerics import CLASSES, resolve
from sidebyside.errors import UserError
from sidebyside.execution.jobs import Job
from sidebyside.storage import cards, keys, staleness

_MACHINE = tuple(f"environment.{name}" for name in ("numerics", "cpu.", "gpu."))
_MOST_NAMED = 3  # parts of an identity


def of_each_kind(jobs: Sequence[Job]) -> list[Job]:
    """Return one of all jobs for which `check_machine` would say the same."""
    return list({_kind(job): job for job in jobs}.values())


def _kind(job: Job) -> tuple[str, ...]:
    training = job.config.training
    return keys.process(job.identity), training.numerics, training.device


def check_machine(jobs: Sequence[Job]) -> None:
    """Raise a UserError if this machine would give a run another environment than it has."""
    for job in jobs:
        training = job.config.training
        card = cards.card_for(training.device)
        here = keys.environment(job.recipe, resolve(training.numerics), card)
        if here != job.identity["environment"]:
            raise other_run(job, job.identity | {"environment": here})


def other_run(job: Job, here: Mapping[str, Any]) -> UserError:
    """Return what to say of a run whose identity ``here`` isn't the one that was asked for."""
    told = f"Run {job.run.key[:12]} would be another one on {socket.gethostname()}"
    parts = [own.part for own in staleness.differences(job.identity, here)]
    if not all(part.startswith(_MACHINE) for part in parts):
        named = ", ".join(parts[:_MOST_NAMED]) + ", ..." * (len(parts) > _MOST_NAMED)
        return UserError(
            f"{told}: {named} changed while the sweep was running, or isn't the same there. Let "
            "code, data and packages be the same everywhere, and start it again."
        )
    planned, found = job.identity["environment"], here["environment"]
    wanted, there = planned["numerics"], found["numerics"]
    if wanted != there:
        return UserError(
            f"{told}, which is of numeric class {there} and not of {wanted}, as the machine that "
            f"launches: set training.numerics={max(wanted, there, key=CLASSES.index)}, or choose "
            f"nodes of {wanted}."
        )
    wanted, there = _called(planned), _called(found)
    return UserError(
        f"{told}, as its bits depend on the processor (docs/numerics.md): {there} there, and "
        f"{wanted}{' with other instructions' * (wanted == there)} where it is launched. Launch "
        "from a machine like the nodes, which have to be alike, or choose nodes like this machine."
    )


def _called(environment: Mapping[str, Any]) -> str:
    """Return what a processor is called, and the GPU if there is one."""
    named = [environment.get("cpu", {}).get("model"), environment.get("gpu", {}).get("name")]
    return " and ".join(str(name) for name in named if name)
