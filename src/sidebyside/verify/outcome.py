"""What ``sidebyside verify`` can show, from the same bits up to the same findings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from sidebyside.verify.test_set import Looks  # which brings SciPy

MEANING = {
    "bits": "Trained again from its config, data and seed, a run has the same weights after every "
    "epoch, bit for bit.",
    "predictions": "Trained again, as on another machine, a run predicts as before, but for no "
    "more test images than two seeds of its variant differ in.",
    "claims": "What the report claims of factors and variants is shown again by runs with fresh "
    "seeds alone; a claim fails if they show the contrary.",
    "committed": "Each committed report is what its evidence makes, byte for byte, its digests are "
    "those of what they stand for, and its cheapest run, trained again, comes out as before.",
    "published": "What a tutorial printed is shown to be, or not to be, what one more run of its "
    "recipe gives, but for a stated tolerance.",
}


class Finding(Protocol):
    """What is found of one run, claim or recipe."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON types."""


Kind_co = TypeVar("Kind_co", bound=Finding, covariant=True)


@dataclass(frozen=True)
class Outcome(Generic[Kind_co]):
    """What came out of a check.

    Attributes
    ----------
    check : str
        One of `MEANING`.
    passed : bool
        Whether nothing speaks against it.
    summary : str
        In sentences.
    findings : sequence
        Verdicts of runs, `sidebyside.verify.bits.Verdict`; of claims,
        `sidebyside.verify.claims.ClaimVerdict`; of committed reports,
        `sidebyside.verify.committed.Report`; or of readings of published
        recipes, `sidebyside.analysis.published.recipes.JudgedReading`.
    looks : Looks or None
        Whether runs of the study may have been chosen by test error; None for several studies.
    """

    check: str
    passed: bool
    summary: str
    findings: Sequence[Kind_co]
    looks: "Looks | None"

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as JSON types."""
        return {
            "check": self.check,
            "meaning": MEANING[self.check],
            "passed": self.passed,
            "summary": self.summary,
            "verdicts": [finding.as_json() for finding in self.findings],
            "test_set": self.looks and self.looks.as_json(),
        }
