"""The settings of each engine that runs tasks, ``hydra.launcher`` of a config."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from sidebyside.engine.blocks import CLOSED, Positive

NotNegative = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(gt=0)]


@dataclass(frozen=True, config=CLOSED)
class Local:
    """Processes of this machine.

    ``workers`` is tasks at a time, None one per CPU that this process may use; ``time_limit`` and
    ``memory_limit`` (MiB, resident) are of one task, None for none.
    """

    engine: Literal["local"]
    workers: Positive | None = None
    time_limit: Seconds | None = None
    memory_limit: Positive | None = None
    workers_per_gpu: Positive = 1


@dataclass(frozen=True, config=CLOSED)
class Serial:
    """The process that was started, one task after the other."""

    engine: Literal["serial"]


@dataclass(frozen=True, config=CLOSED)
class Ray:
    """Workers of a Ray cluster, which is started on this machine or joined.

    ``address`` is that of a cluster to join: host:port, ray://host:port, "auto" for the one that
    this machine is a node of; None starts one here. ``workers`` is tasks at a time, None as many as
    the nodes have room for. A run is promised ``cpus``, ``gpus`` (a share of one is less than 1)
    and ``memory`` (MiB); Ray counts these, while ``time_limit`` and ``memory_limit`` (MiB,
    resident) end a run that takes more.
    """

    engine: Literal["ray"]
    address: str | None = None
    workers: Positive | None = None
    cpus: Annotated[float, Field(gt=0)] = 1
    gpus: Annotated[float, Field(ge=0)] = 0
    memory: Positive | None = None
    time_limit: Seconds | None = None
    memory_limit: Positive | None = None


@dataclass(frozen=True, config=CLOSED)
class Slurm:
    """Jobs of a Slurm cluster.

    ``time`` (minutes), ``cpus``, ``memory`` (MiB) and ``gpus`` are of one job, which does ``chunk``
    tasks, with None all of a variant; ``requeues`` is how often it may be queued again during one
    of them. ``parameters`` are other options of sbatch. What `sidebyside submit` starts is a job of
    its own, or a process ``here``.
    """

    engine: Literal["slurm"]
    partition: str | None = None
    account: str | None = None
    time: Positive = 60
    cpus: Positive = 1
    memory: Positive | None = 4000
    gpus: Positive = 1
    chunk: Positive | None = None
    max_parallel: Positive = 256
    requeues: NotNegative = 10
    parameters: dict[str, str | int | float | bool] = Field(default_factory=dict)
    folder: str | None = None
    driver: Literal["job", "here"] = "job"
    driver_time: Positive | None = None
    driver_memory: Positive = 2000


Launcher = Local | Serial | Ray | Slurm
ENGINES: dict[str, type[Launcher]] = {
    "local": Local,
    "serial": Serial,
    "ray": Ray,
    "slurm": Slurm,
}
