"""The settings of each engine that runs tasks, ``hydra.launcher`` of a config."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from sidebyside.engine.blocks import CLOSED, Positive

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


Launcher = Local | Serial
ENGINES: dict[str, type[Launcher]] = {"local": Local, "serial": Serial}
