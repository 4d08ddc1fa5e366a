"""How values of a metric, and differences of them, are written: the one place that knows units."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sidebyside.config.metrics import ERROR, Metric
from sidebyside.report.text import numbers


@dataclass(frozen=True)
class Scale:
    """Writes the numbers of a study, in the unit of its metric."""

    metric: Metric

    @property
    def test(self) -> str:
        """What is measured, e.g. "test error"."""
        return f"test {self.metric.label}"

    @property
    def title(self) -> str:
        """What is measured, at the beginning of a sentence."""
        return self.test[0].upper() + self.test[1:]

    @property
    def mean(self) -> str:
        """E.g. "mean error"."""
        return f"mean {self.metric.label}"

    @property
    def better(self) -> str:
        """Which way is better: "lower" or "higher"."""
        return "higher" if self.metric.higher_is_better else "lower"

    @property
    def worse(self) -> str:
        """Which way is worse: "higher" or "lower"."""
        return "lower" if self.metric.higher_is_better else "higher"

    @property
    def best(self) -> str:
        """The best there is: "lowest" or "highest"."""
        return "highest" if self.metric.higher_is_better else "lowest"

    @property
    def better_side(self) -> str:
        """On which side of 0 a difference is one for the better: "left" or "right"."""
        return "right" if self.metric.higher_is_better else "left"

    @property
    def differences(self) -> str:
        """The head of a column or axis of differences, e.g. "difference, points"."""
        return self.apart_column("difference")

    def units(self, images: str = "the test images") -> str:
        """Return the sentence that says what all numbers are of, and which images test runs."""
        if self.metric == ERROR:
            return "All errors are test errors in percent, all differences in percentage points."
        unit = f" in {self.metric.unit}" if self.metric.unit else ""
        apart = f", differences in {self.metric.unit_apart}" if self.metric.unit_apart else ""
        return (
            f"Runs are judged by the {self.metric.label} of {images}{unit}{apart}: "
            f"{self.better} is better. Learning curves, confusions and disagreements are of errors."
            f"{self.no_images}"
        )

    @property
    def no_images(self) -> str:
        """The sentence that says why there are no intervals for new images, else nothing."""
        if self.metric.by_image:
            return ""
        return (
            f" The {self.metric.label} is no mean over images, so there are no intervals for new "
            "images, no ensembles and nothing without disputed labels."
        )

    @property
    def subject(self) -> str:
        """What a table is of, with its unit in words, e.g. "Test error in percent"."""
        unit = "percent" if self.metric.unit == "%" else self.metric.unit
        return f"{self.title} in {unit}" if unit else self.title

    @property
    def apart_subject(self) -> str:
        """What a table of differences is of, e.g. "Points of test error"."""
        unit = self.metric.unit_apart
        return f"{unit[0].upper()}{unit[1:]} of {self.test}" if unit else self.title

    @property
    def ensemble(self) -> str:
        """The sentence that says what an ensemble is."""
        what = (
            "the class with the highest mean probability"
            if self.metric == ERROR
            else f"the {self.metric.label} of their mean probabilities"
        )
        return f"An ensemble is all networks of a variant together: {what}."

    @property
    def of_ensembles(self) -> str:
        """What the table of ensembles holds."""
        if self.metric == ERROR:
            return """
                The class with the highest mean probability of a variant's networks, with Wilson's
                interval, and how much less it errs than one of them, with the bootstrap's: both
                95 %, over images, these networks."""
        return f"""
            The {self.metric.label} of the mean of the probabilities of a variant's networks, and
            how much better it is than that of one of them: both with 95 % intervals over images,
            these networks."""

    def over_images(self, runs: int) -> str:
        """How intervals over images come about, those of variants of at most so many runs."""
        if self.metric != ERROR and not self.metric.top:
            return "Student t, skewness taken into account"
        return "bootstrap" if runs > 1 else "Wilson's"

    def column(self, label: str) -> str:
        """Return the head of a column of values, e.g. "test error %" or "test log loss, nats"."""
        if self.metric.unit == "%":
            return f"{label} %"
        return f"{label}, {self.metric.unit}" if self.metric.unit else label

    def apart_column(self, label: str) -> str:
        """Return the head of a column of differences, e.g. "gain, points"."""
        return f"{label}, {self.metric.unit_apart}" if self.metric.unit_apart else label

    def axis(self, label: str) -> str:
        """Return the label of an axis of values, e.g. "test error in %"."""
        return f"{label} in {self.metric.unit}" if self.metric.unit else label

    def value(self, value: float) -> str:
        """Return e.g. "0.87 %" or "0.0312 nats"."""
        return f"{self.fixed(value)} {self.metric.unit}".rstrip()

    def apart(self, difference: float) -> str:
        """Return e.g. "0.21 points" or "0.0021 nats"."""
        return f"{self.fixed(difference)} {self.metric.unit_apart}".rstrip()

    def within(self, margin: float) -> str:
        """Return a margin as it was set, e.g. "0.1 points"."""
        return self.with_unit(f"{margin:g}")

    def with_unit(self, number: str) -> str:
        """Return a difference that is text with its unit."""
        return f"{number} {self.metric.unit_apart}".rstrip()

    def fixed(self, value: float | None) -> str:
        """Return e.g. "0.59", a dash for none."""
        return numbers.fixed(value, self.metric.digits)

    def signed(self, value: float | None) -> str:
        """Return e.g. "+0.21", a dash for none."""
        return numbers.signed(value, self.metric.digits)

    def ends(self, ends: Mapping[str, Any] | None) -> str:
        """Return e.g. "0.59 to 0.93", a dash where there is no interval."""
        return numbers.ends_text(ends, self.fixed)

    def signed_ends(self, ends: Mapping[str, Any] | None) -> str:
        """Return e.g. "-0.59 to +0.93", a dash where there is no interval."""
        return numbers.ends_text(ends, self.signed)

    def bracket(self, low: float, high: float) -> str:
        """Return e.g. "[0.10, 0.32]"."""
        return f"[{self.fixed(low)}, {self.fixed(high)}]"

    def interval(self, low: float | None, high: float | None) -> str:
        """Return e.g. " [+0.10, +0.32]", nothing where there is no interval."""
        return numbers.signed_interval(low, high, self.metric.digits)

    def estimate(self, entry: Mapping[str, Any] | None, mean: str = "mean") -> str:
        """Return e.g. "+0.21 [+0.10, +0.32]" of an entry with its ends, a dash for none."""
        return numbers.signed_estimate(entry, mean, self.metric.digits)


ERRORS = Scale(ERROR)
