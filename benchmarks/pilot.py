"""What the simulations take their noise from: the committed factorial's first seeds.

Seeds that are added to that study later change nothing that was simulated.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path

from sidebyside.storage.evidence import Evidence
from sidebyside.storage.evidence_files import read_evidence

FACTORIAL = Path(__file__).resolve().parents[1] / "reports" / "mnist" / "factorial"
SEEDS = 5


@cache
def pilot() -> Evidence:
    """Return the first seeds of each variant of the factorial on the full MNIST."""
    evidence = read_evidence(FACTORIAL / "evidence.npz")
    return replace(evidence, runs=[run for run in evidence.runs if run.seed < SEEDS])
