"""A sweep killed at 20 random moments, against one that nothing happens to: docs/soak.md.

python benchmarks/soak.py
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from tabulate import tabulate

from sidebyside.storage import journal

ROOT = Path(__file__).resolve().parents[1]
KILLS = 20
SEED = 0  # of the moments and the victims
LATEST = 40.0  # seconds after a launch's start; training begins after a third of it
STUDY = ("study=factorial", "training.epochs=5", "training.seeds=2")
VICTIMS = ("all its processes", "its parent", "a worker")
SIGNALS = {
    "all its processes": (signal.SIGKILL, signal.SIGINT),
    "its parent": (signal.SIGKILL, signal.SIGTERM),
    "a worker": (signal.SIGKILL,),
}


@dataclass(frozen=True)
class Kill:
    """What a launch met; ``finished`` runs are in the run store after it."""

    moment: float
    victim: str
    signal: str
    code: int
    finished: int


class Workspace:
    """A clone of the project that is its own home."""

    def __init__(self, root: Path) -> None:
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(root)], check=True)
        self.root = root

    def launch(self, log: Path) -> "subprocess.Popen[bytes]":
        """Start the sweep."""
        with log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "pipelines/train.py", "-m", *STUDY],
                cwd=self.root,
                env=self._environment(),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def compare(self) -> bytes:
        """Return the comparison.json of what the sweep left."""
        command = [sys.executable, "pipelines/compare.py", STUDY[0]]
        subprocess.run(command, cwd=self.root, env=self._environment(), check=True)
        return (self.root / "reports/mnist5k/factorial/comparison.json").read_bytes()

    def finished(self) -> int:
        """Return how many runs the run store has."""
        return len(list((self.root / "runs").glob("*/run.json")))

    def trainings(self) -> Counter[str]:
        """Return how often each run was trained to the end."""
        os.environ["SIDEBYSIDE_HOME"] = str(self.root)  # whose journal to read
        ended = [entry for entry in journal.entries() if entry.event == "finished"]
        return Counter(key for entry in ended for key in entry.keys)

    def _environment(self) -> dict[str, str]:
        own = {"SIDEBYSIDE_ROOT", "SIDEBYSIDE_HOME", "MLFLOW_TRACKING_URI"}
        return {name: value for name, value in os.environ.items() if name not in own}


def kill(process: "subprocess.Popen[bytes]", chance: random.Random) -> tuple[float, str, str]:
    """Wait for a random moment and kill; return when, whom and how."""
    moment, victim = chance.uniform(0.5, LATEST), chance.choice(VICTIMS)
    number = chance.choice(SIGNALS[victim])
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        pass
    else:
        raise SystemExit("The sweep ended before it was killed often enough: give it more epochs.")
    below = psutil.Process(process.pid).children(recursive=True)
    if victim == "all its processes":
        os.killpg(process.pid, number)
    elif victim == "its parent" or not below:
        victim = "its parent"
        process.send_signal(number)
    else:
        chance.choice(below).send_signal(number)
        time.sleep(1)  # it fails alone; then the sweep is ended, or it would go on to the end
        process.send_signal(signal.SIGTERM)
    process.wait()
    if psutil.wait_procs(below, timeout=30)[1]:
        raise SystemExit("An orphan goes on after its sweep was killed.")
    return moment, victim, number.name


def soak(folder: Path) -> tuple[list[Kill], bytes, bytes, Counter[str]]:
    """Return the kills, both comparisons, and how often each run was trained to the end."""
    undisturbed, killed = Workspace(folder / "undisturbed"), Workspace(folder / "killed")
    if undisturbed.launch(folder / "undisturbed.log").wait():
        raise SystemExit((folder / "undisturbed.log").read_text())
    chance, kills = random.Random(SEED), []
    for number in range(1, KILLS + 1):
        process = killed.launch(folder / "killed.log")
        moment, victim, name = kill(process, chance)
        kills.append(Kill(moment, victim, name, process.returncode, killed.finished()))
        print(f"{number}/{KILLS} {kills[-1]}", flush=True)
    if killed.launch(folder / "killed.log").wait():
        raise SystemExit((folder / "killed.log").read_text())
    return kills, undisturbed.compare(), killed.compare(), killed.trainings()


def as_markdown(kills: list[Kill], same: bool, trainings: Counter[str]) -> str:
    """Return the document."""
    columns = ("kill", "seconds after the start", "whom", "signal", "exit code", "runs finished")
    rows = [
        (number, f"{one.moment:.1f}", one.victim, one.signal, one.code, one.finished)
        for number, one in enumerate(kills, start=1)
    ]
    equal = "the same bytes" if same else "OTHER BYTES"
    often = max(trainings.values())
    return "\n".join(
        [
            "# A sweep that is killed again and again",
            "",
            "Written by:",
            "",
            "    python benchmarks/soak.py",
            "",
            f"`train.py -m {' '.join(STUDY)}` was killed {len(kills)} times at random moments and",
            "started again each time, then left to end. Beside it, another one ran undisturbed.",
            "",
            f"- `comparison.json` of both: {equal};",
            f"- {len(trainings)} runs, {trainings.total()} trainings to the end, no run more often",
            f"  than {often} time(s);",
            "- no process outlived its sweep.",
            "",
            "A worker that is killed fails alone. A second later its sweep is ended by SIGTERM,",
            "hence the exit code 130.",
            "",
            tabulate(rows, columns, tablefmt="github", disable_numparse=True),
            "",
        ]
    )


def main() -> None:
    """Run both sweeps, write docs/soak.md, and end with 1 where something was lost or repeated."""
    # A shell's background job can't be interrupted, nor can what it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with TemporaryDirectory() as folder:
        kills, undisturbed, killed, trainings = soak(Path(folder))
    same = undisturbed == killed
    (ROOT / "docs" / "soak.md").write_text(as_markdown(kills, same, trainings))
    sys.exit(not same or max(trainings.values()) > 1)


if __name__ == "__main__":
    main()
