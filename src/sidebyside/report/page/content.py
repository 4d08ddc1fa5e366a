"""What the page tells: numbers, names and words; variants are numbered by their mean."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sidebyside.analysis.cost.sizes import sizes
from sidebyside.analysis.looks import looks_of
from sidebyside.analysis.selection import validation_figure
from sidebyside.config.protocols import FOLDS, TEST_AS_VALIDATION
from sidebyside.report.commands import compare_command, training_command
from sidebyside.report.comparison import Comparison
from sidebyside.report.conditions import condition_rows
from sidebyside.report.folding import by_rank, folded, of_folding, shown
from sidebyside.report.gallery import Entry, gallery_entries
from sidebyside.report.page.apart import Levels
from sidebyside.report.page.origins import origins
from sidebyside.report.text.asked import of_asked
from sidebyside.report.text.crossvalidation import CORRECTED, meaning
from sidebyside.report.text.findings import of_pair
from sidebyside.report.text.markdown import Row
from sidebyside.report.text.numbers import spelled
from sidebyside.report.text.others import ABOUT, TITLE, other_scores
from sidebyside.report.text.rules import of_stopping
from sidebyside.report.text.scale import Scale
from sidebyside.report.text.sections import smaller_rows
from sidebyside.storage.evidence import Evidence, RunEvidence

_OPENING = 3  # statements that are the answer
_PROTOCOLS = {
    "clean": "A sixth of the training images is held out for validation; the test images were "
    "used once, after training.",
    "train60k": "Trained on all training images, validated on none.",
    "test_as_validation": "Trained on all training images and validated on the test images: "
    "whoever watched could stop when the test error suited them, so these figures flatter.",
    "tf55k": "The first twelfth of the training images isn't used; validated on the test images: "
    "whoever watched could stop when the test error suited them, so these figures flatter.",
    "split20": "The last fifth of the training images is held out for validation.",
    **{name: meaning(folds) for name, folds in FOLDS.items()},
}


@dataclass(frozen=True)
class Page:
    """A study as its page tells it, see `sidebyside.report.page.page.write_report`."""

    comparison: Comparison
    evidence: Evidence
    seconds: Mapping[str, float]
    made: Mapping[str, str]
    disputed: Collection[int]
    given_margin: float | None
    class_names: Sequence[str]
    milliseconds: Mapping[str, Mapping[str, float]]

    @property
    def scale(self) -> Scale:
        """How the numbers are written."""
        return Scale(self.evidence.metric)

    @cached_property
    def content(self) -> dict[str, Any]:
        """What ``comparison.json`` has of the variants that are shown."""
        return folded(self.comparison.content, self._shown)

    @cached_property
    def _shown(self) -> list[str]:
        return shown(self.comparison.content, self.baseline, self.evidence.metric)

    @property
    def folding(self) -> str:
        """What is shown of many variants, nothing where that is all."""
        return of_folding(len(self._shown), len(self.numbers))

    @property
    def tested(self) -> str:
        """Which pairs of many variants were tested, nothing where all were."""
        return of_asked(self.content.get("asked"))

    @property
    def answer(self) -> list[str]:
        """The sentences that open the page."""
        return self.comparison.statements[:_OPENING]

    @property
    def findings(self) -> list[str]:
        """The other sentences."""
        return self.comparison.statements[_OPENING:]

    @cached_property
    def variants(self) -> list[Mapping[str, Any]]:
        """The variants that are shown by their mean, the best first."""
        return by_rank(self.content["variants"], self.evidence.metric)

    @cached_property
    def _every(self) -> list[Mapping[str, Any]]:
        """All variants, the best first."""
        return by_rank(self.comparison.content["variants"], self.evidence.metric)

    def value(self, entry: Mapping[str, Any]) -> Any:
        """Return what an entry of ``comparison.json`` has by the study's metric."""
        return entry[self.evidence.metric.name]

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each variant on the page, shown or not."""
        return {variant["name"]: number for number, variant in enumerate(self._every, 1)}

    @cached_property
    def named(self) -> dict[str, str]:
        """The variants by what a row of a table calls them."""
        return {spelled(name): name for name in self.numbers}

    @cached_property
    def levels(self) -> Levels:
        """What tells the variants apart."""
        return Levels.of_variants(self.evidence, self.comparison.analysis.protocols)

    @cached_property
    def values(self) -> dict[str, list[float]]:
        """What each variant's runs are judged by."""
        return {
            name: [self.evidence.value(run) for run in self.evidence.of_variant(name)]
            for name in self.numbers
        }

    @cached_property
    def protocols(self) -> dict[str, str]:
        """What the study's protocols mean."""
        names = dict.fromkeys(run.protocol for run in self.evidence.runs)
        return {name: _PROTOCOLS.get(name, "") for name in names}

    @property
    def test_watched(self) -> bool:
        """Whether the validation images of some runs are the test images."""
        return any(name in TEST_AS_VALIDATION for name in self.protocols)

    @property
    def images(self) -> str:
        """How many images test the runs, e.g. "1000 test images"."""
        count, folds = len(self.evidence.target), self.evidence.folds
        return f"{count} test images" if folds == 1 else f"{count} images in {folds} folds"

    @property
    def units(self) -> str:
        """The sentence that says what all numbers are of."""
        return self.scale.units("the test images" if self.evidence.folds == 1 else "their folds")

    @property
    def folded(self) -> str:
        """What cross-validation makes of intervals and tests, nothing where there is none."""
        return CORRECTED if self.evidence.folds > 1 else ""

    @property
    def seeds(self) -> str:
        """The number of seeds per variant, e.g. "2" or "2 to 5"."""
        return count_text([variant["n"] for variant in self._every])

    def label(self, variant: str) -> str:
        """Return number and name of a variant, and its protocol where the name doesn't tell."""
        text = f"{self.numbers[variant]}  {spelled(variant)}"
        return f"{text} ({self._protocol(variant)})" if self.levels.protocol_apart else text

    def _protocol(self, variant: str) -> str:
        return self.comparison.analysis.protocols[variant]

    def protocol_note(self, a: str, b: str) -> str:
        """Return a remark where two variants follow different protocols, else nothing."""
        first, second = self._protocol(a), self._protocol(b)
        return "" if first == second else f"different protocols: {first}, {second}"

    @property
    def margin(self) -> float | None:
        """The largest difference that doesn't matter, None where the study names none."""
        if self.given_margin is not None:
            return self.given_margin
        return next((entry["margin"] for entry in self.content["equivalence"]), None)

    @property
    def baseline(self) -> str:
        """The variant that the others are held against."""
        return self.comparison.analysis.baseline

    @property
    def against(self) -> list[dict[str, Any]]:
        """The pairs with the baseline second, by the number of the other variant."""
        pairs = [pair for pair in self.content["pairs"] if pair["b"] == self.baseline]
        return sorted(pairs, key=lambda pair: self.numbers[pair["a"]])

    def in_words(self, pair: Mapping[str, Any]) -> str:
        """Return a pair's statement with the variants' numbers for their names."""
        text = of_pair(pair, self.scale)
        for name in (pair["a"], pair["b"]):  # in the order in which the statement names them
            text = text.replace(name, f"variant {self.numbers[name]}", 1)
        return text[0].upper() + text[1:]

    @property
    def furthest(self) -> str | None:
        """The variant whose mean is furthest from the baseline's."""
        mean = {name: float(np.mean(values)) for name, values in self.values.items()}
        others = [name for name in mean if name != self.baseline]
        return max(others, key=lambda name: abs(mean[name] - mean[self.baseline]), default=None)

    def called(self, label: int) -> str:
        """Return a class by its name, of a dataset without names by its number."""
        return self.class_names[label] if self.class_names else str(label)

    @property
    def gallery(self) -> list[Entry]:
        """The images that the variants disagree on most."""
        return gallery_entries(self.evidence, self.disputed)

    @cached_property
    def costs(self) -> list[dict[str, Any]]:
        """Parameters, multiply-adds, times and mean of each variant, shown or not."""
        rows, known = [], sizes(self.evidence)
        for variant in self._every:
            runs = self.evidence.of_variant(variant["name"])
            times = [self.seconds[run.key] for run in runs if run.key in self.seconds]
            rows.append(
                {
                    "name": variant["name"],
                    "parameters": variant["parameters"],
                    "multiply_adds": known[variant["name"]].multiply_adds,
                    "timed": len(times),
                    "seconds": float(np.mean(times)) if times else None,
                    "one": self._milliseconds(runs, "1"),
                    "many": self._milliseconds(runs, "256"),
                    "value": self.value(variant)["mean"],
                }
            )
        return rows

    @property
    def costs_shown(self) -> list[dict[str, Any]]:
        """Those of the variants that are shown."""
        kept = set(self._shown)
        return [row for row in self.costs if row["name"] in kept]

    def _milliseconds(self, runs: Sequence[RunEvidence], images: str) -> float | None:
        times = [self.milliseconds[run.key][images] for run in runs if run.key in self.milliseconds]
        return float(np.mean(times)) if times else None

    @property
    def smaller(self) -> list[Row]:
        """Smaller variants against the baseline, a row each."""
        return smaller_rows(self.content["no_worse"], Scale(self.evidence.metric))

    @property
    def origins(self) -> list[dict[str, str]]:
        """The environments and sources that runs were made under, with the number of runs."""
        return origins(self.evidence.runs)

    @property
    def settings(self) -> list[dict[str, str]]:
        """The settings that weren't varied."""
        return condition_rows(self.evidence)

    @property
    def stopping(self) -> str:
        """How seeds were added, nothing where their number was set before."""
        return of_stopping(self.evidence.stopping) if self.evidence.stopping else ""

    @property
    def looked_at(self) -> bool:
        """Whether seeds were added by looks, which factors take account of."""
        return looks_of(self.evidence.stopping) is not None

    @property
    def command(self) -> str:
        """The command that trains the runs."""
        return training_command(self.evidence)

    @property
    def compare_command(self) -> str:
        """The command that makes the page again."""
        return compare_command(self.evidence, self.comparison.analysis.asked)

    @property
    def validated_by(self) -> str:
        """Which figure of the validation images a variant is chosen by, "error" or "loss"."""
        return validation_figure(self.evidence.metric)

    @property
    def other_scores(self) -> list[dict[str, str]]:
        """What other metrics say of the variants."""
        return other_scores(self.evidence, self._shown)

    others_title = TITLE
    others_about = " ".join(ABOUT.split())

    def validation(self, chosen: Mapping[str, Any]) -> str:
        """Return what the chosen variant was chosen by."""
        value = chosen[f"validation_{self.validated_by}"]
        return self.scale.fixed(value) if self.validated_by == "loss" else f"{value:.2f} %"


def count_text(counts: Sequence[int]) -> str:
    """Return e.g. "2" or "2 to 5"."""
    few, many = min(counts), max(counts)
    return str(few) if few == many else f"{few} to {many}"
