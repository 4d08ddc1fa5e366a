"""The rungs of ``sidebyside verify``: from the same bits up to the same findings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sidebyside.verify.test_set import Looks

MEANING = {
    "bits": "Trained again from its config, data and seed, a run has the same weights after every "
    "epoch, bit for bit.",
    "predictions": "Trained again, as on another machine, a run predicts as before, but for no "
    "more test images than two seeds of its variant differ in.",
    "claims": "What the report claims of factors and variants is shown again by runs with fresh "
    "seeds alone; a claim fails if they show the contrary.",
    "published": "What a tutorial printed is shown to be, or not to be, what one more run of its "
    "recipe gives, but for a stated tolerance.",
}


class Finding(Protocol):
    """What is found of one run, claim or recipe."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON types."""


@dataclass(frozen=True)
class Outcome:
    """What came out on a rung.

    Attributes
    ----------
    rung : str
        One of `MEANING`.
    passed : bool
        Whether nothing speaks against it.
    summary : str
        In sentences.
    found : sequence
        Verdicts of runs, `sidebyside.verify.bits.Verdict`; of claims,
        `sidebyside.verify.claims.ClaimVerdict`; or of readings of published
        recipes, `sidebyside.analysis.published.JudgedReading`.
    looks : Looks
        Whether runs may have been chosen by test error.
    """

    rung: str
    passed: bool
    summary: str
    found: Sequence[Finding]
    looks: Looks

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as JSON types."""
        return {
            "rung": self.rung,
            "meaning": MEANING[self.rung],
            "passed": self.passed,
            "summary": self.summary,
            "verdicts": [one.as_json() for one in self.found],
            "test_set": self.looks.as_json(),
        }
