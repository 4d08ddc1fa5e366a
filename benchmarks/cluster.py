"""A study of 100 000 runs on 1 000 workers, simulated: docs/scaling_simulated.md and its picture.

make simulate            100 runs for each worker, in six minutes of two cores
make simulate RUNS=20    as many
make simulate QUICK=1    in a minute; it writes nothing

One part is a small real launch, beside which nothing else should run on the machine.
"""

import os
from pathlib import Path

from cluster_findings import Findings
from cluster_page import as_markdown
from cluster_picture import draw
from cluster_reality import compare
from cluster_sweeps import Sweeps, choosing

ROOT = Path(__file__).resolve().parents[1]
RUNS = 100
FEWER = 8  # runs for each worker, where many simulations are needed
SHORT = 10.0  # seconds of a run, too few for 1 000 workers
WAITING = (1_000, 10_000, 100_000)


def main() -> None:
    """Simulate and measure; write the page, or with QUICK=1 print it."""
    quick = bool(os.environ.get("QUICK"))
    runs = 4 if quick else int(os.environ.get("RUNS") or RUNS)
    fewer = min(runs // 4 + 1, FEWER)
    sweeps = Sweeps(runs, fewer)
    found = Findings(
        command="make simulate" if runs == RUNS else f"make simulate RUNS={runs}",
        runs=runs,
        fewer=fewer,
        reality=compare(),
        choosing={waiting: choosing(waiting, min(waiting, 1_000)) for waiting in WAITING},
        grid=sweeps.grid(),
        laws=sweeps.laws(),
        losses=sweeps.losses(),
        limits=sweeps.limits(),
        short=SHORT,
        helped=sweeps.helped(SHORT),
    )
    if quick:
        print(as_markdown(found))
        return
    draw(found, ROOT / "docs" / "scaling_simulated.png")
    (ROOT / "docs" / "scaling_simulated.md").write_text(as_markdown(found), encoding="utf-8")


if __name__ == "__main__":
    main()
