"""How jobs get to Slurm."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidebyside import paths
from sidebyside.config.launchers import Slurm
from sidebyside.environment import GPUS, ours
from sidebyside.errors import UserError

if TYPE_CHECKING:
    from sidebyside.execution.executors.slurm_chunk import Chunk

_NO_LIMIT = 10**6  # timeouts that submitit allows; a chunk counts for itself
_MOST_IN_ARRAY = 1001  # Slurm's own default
_WARN_AT_MOST = 90  # seconds before the time of a job is over
_SOURCE = Path(__file__).resolve().parents[3]


def check_slurm() -> None:
    """Raise a UserError where no job can be submitted from."""
    if shutil.which("sbatch") is None:
        raise UserError(
            "hydra/launcher=slurm needs sbatch, which isn't on this machine's PATH: start it where "
            "jobs are submitted, or choose hydra/launcher=local."
        )
    if find_spec("submitit") is None:
        raise UserError(
            "hydra/launcher=slurm needs submitit, which isn't installed: pip install "
            "'sidebyside[slurm]', in a clone pip install -e '.[slurm]'."
        )


def submit(chunks: "Sequence[Chunk]", settings: Slurm, folder: Path, gpu: bool) -> list[str]:
    """Submit a job for each chunk, as arrays, and return their ids.

    Raises
    ------
    UserError
        If Slurm doesn't take them all; then none is left.
    """
    if not chunks:
        return []
    import submitit
    from submitit.core.utils import FailedJobError

    executor = submitit.SlurmExecutor(folder, max_num_timeout=_NO_LIMIT)
    executor.update_parameters(**_parameters(settings, gpu))
    most = _most_in_array() if len(chunks) > 1 else 1
    ids: list[str] = []
    try:
        with outside_of_jobs():
            for at in range(0, len(chunks), most):
                ids += [job.job_id for job in executor.submit_array(chunks[at : at + most])]
    except FailedJobError as error:
        cancel(ids)  # of arrays before, which nobody would wait for
        raise refused(str(error)) from None
    return ids


def cancel(jobs: Iterable[str]) -> None:
    """Cancel jobs, whole arrays of them, without waiting for their end."""
    if arrays := {job.partition("_")[0] for job in jobs}:
        subprocess.run(  # noqa: S603 - Slurm's own command
            ["scancel", *arrays],  # noqa: S607
            capture_output=True,
            check=False,
        )


def refused(said: str) -> UserError:
    """Return what to say where sbatch refuses a job; it is ``said`` in some lines of its own."""
    lines = [line.removeprefix("sbatch: error: ") for line in said.strip().splitlines()]
    return UserError(
        f"Slurm takes no such job: {'; '.join(lines) or 'sbatch says nothing'}. Change "
        "hydra.launcher.partition, account, time, cpus, memory, gpus or parameters."
    )


def exports() -> list[str]:
    """Return the shell's commands by which a job finds what this process does.

    Whatever of the environment a cluster lets through: where that is nothing, srun in the job
    passes nothing on either, unless told.
    """
    modules = [str(_SOURCE), *(path for path in sys.path if path)]
    named = ours() | {  # SIDEBYSIDE_RETRAIN among them
        "SLURM_EXPORT_ENV": "ALL",
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(modules)),
        "SIDEBYSIDE_ROOT": str(paths.root()),
        "SIDEBYSIDE_HOME": str(paths.home()),
        "OPENBLAS_NUM_THREADS": "1",  # as in workers of this machine
    }
    named.pop(GPUS, None)  # which there are is for Slurm to say, on the node
    return [
        f"unset {GPUS}",
        *(f"export {name}={shlex.quote(value)}" for name, value in named.items()),
    ]


@contextmanager
def outside_of_jobs() -> Iterator[None]:
    """Hide from jobs that are submitted meanwhile that this process is one itself."""
    hidden = {}
    if "SLURM_JOB_ID" in os.environ:
        prefixes = ("SLURM_", "SLURMD_", "SRUN_", "SBATCH_", "SUBMITIT_")
        own = [n for n in os.environ if n.startswith(prefixes) and n != "SLURM_CONF"]
        hidden = {name: os.environ.pop(name) for name in own}
    try:
        yield
    finally:
        os.environ |= hidden


def _parameters(settings: Slurm, gpu: bool) -> dict[str, Any]:
    """Return the settings in submitit's words."""
    seconds = settings.time * 60
    named = {
        "job_name": "sidebyside",
        "time": settings.time,
        "cpus_per_task": settings.cpus,
        "mem": None if settings.memory is None else f"{settings.memory}M",
        "partition": settings.partition,
        "account": settings.account,
        "gpus_per_node": settings.gpus if gpu else None,
        "array_parallelism": settings.max_parallel,
    }
    return {
        **{name: value for name, value in named.items() if value is not None},
        "signal_delay_s": min(_WARN_AT_MOST, seconds // 4),
        "wckey": None,  # submitit's own, which a cluster needn't know
        "setup": exports(),
        "additional_parameters": dict(settings.parameters),
    }


def _most_in_array() -> int:
    said = subprocess.run(
        ["scontrol", "show", "config"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", said, re.MULTILINE)
    return int(found[1]) if found else _MOST_IN_ARRAY
