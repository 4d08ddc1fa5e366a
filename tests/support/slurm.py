"""A Slurm of one node, in a folder of its own, for as long as the tests of a process run."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from support.servers import free_port

_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol")
_READY_WITHIN = 60  # seconds
_ENDED_WITHIN = 30  # seconds; KillWait and what a process does when it is terminated
_CONFIG = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=1000
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
KillWait=5
MaxArraySize=4
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=sched_interval=1,bf_interval=1
SlurmdParameters=config_overrides
NodeName=one NodeHostname={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=16000
PartitionName=main Nodes=one Default=YES MaxTime=60 State=UP PriorityTier=1
PartitionName=first Nodes=one MaxTime=60 State=UP PriorityTier=9
"""


@contextmanager
def running_slurm() -> Iterator[None]:
    """Let this process and those that it starts find a Slurm; skip where it can't be had."""
    if missing := [program for program in _PROGRAMS if shutil.which(program) is None]:
        pytest.skip(f"not installed: {', '.join(missing)} (munge, slurmctld, slurmd, slurm-client)")
    if os.geteuid():
        pytest.skip("slurmd has to be started by root")
    with (
        tempfile.TemporaryDirectory(prefix="slurm-") as name,
        pytest.MonkeyPatch.context() as patch,
    ):
        folder = Path(name)
        patch.setenv("SLURM_CONF", str(_configured(folder)))
        processes = _started(folder)
        try:
            _wait_until_idle(folder)
            yield
        finally:
            _end_all_jobs()
            for process in reversed(processes):
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=20)
                process.kill()
                process.wait()


def _configured(folder: Path) -> Path:
    folder.chmod(0o755)  # munged takes no socket that others can't reach
    for name in ("state", "spool", "munge"):
        (folder / name).mkdir(mode=0o700)
    key = folder / "munge" / "key"
    key.touch(0o600)
    key.write_bytes(secrets.token_bytes(1024))
    host = socket.gethostname().partition(".")[0]
    chosen = {"folder": folder, "host": host, "controller": free_port(), "node": free_port()}
    config = folder / "slurm.conf"
    config.write_text(_CONFIG.format(**chosen))
    return config


def _started(folder: Path) -> "list[subprocess.Popen[bytes]]":
    munge = folder / "munge"
    commands = [
        ["munged", "--foreground", "--force", f"--key-file={munge / 'key'}"]
        + [f"--{name}-file={munge / name}" for name in ("pid", "log", "seed")]
        + [f"--socket={folder / 'munge.socket'}"],
        ["slurmctld", "-D"],
        ["slurmd", "-D", "-N", "one"],
    ]
    processes = []
    for command in commands:
        with (folder / f"{command[0]}.out").open("wb") as out:
            processes.append(subprocess.Popen(command, stdout=out, stderr=out))
        time.sleep(0.5)
    return processes


def _wait_until_idle(folder: Path) -> None:
    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline:
        done = subprocess.run(
            ["sinfo", "--noheader", "--format=%T"], capture_output=True, text=True, check=False
        )
        if "idle" in done.stdout:
            return
        time.sleep(0.2)
    logs = [path.read_text()[-2000:] for path in folder.glob("*.log")]
    pytest.skip("Slurm doesn't start here: " + " ".join(" ".join(logs).split())[-500:])


def _end_all_jobs() -> None:
    """Cancel what is under way and wait for its end; without Slurm it would go on."""
    subprocess.run(["scancel", "--user=root"], capture_output=True, check=False)
    deadline = time.monotonic() + _ENDED_WITHIN
    while time.monotonic() < deadline:
        done = subprocess.run(["squeue", "-h"], capture_output=True, text=True, check=False)
        if not done.stdout.strip():
            return
        time.sleep(0.2)
