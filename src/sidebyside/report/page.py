"""The report as one page of HTML: no network, no script, readable on a phone and on paper."""

import base64
import io
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray
from PIL import Image

from sidebyside.analysis.intervals import interval
from sidebyside.config.factors import level_text
from sidebyside.config.protocols import TEST_AS_VALIDATION
from sidebyside.report import page_pictures as pictures
from sidebyside.report.comparison import Comparison
from sidebyside.report.conditions import condition_rows, training_command
from sidebyside.report.gallery import gallery_entries
from sidebyside.report.page_pictures import Level, Point, Row
from sidebyside.report.statements import of_pair
from sidebyside.report.text import p_value, signed, spelled
from sidebyside.storage.evidence import Evidence, RunEvidence

PICTURES = "pictures"
_DIGITS = 12  # of a source's digest
_OPENING = 3  # statements that are the answer
_MOST_CURVES = 24  # variants whose learning curves are drawn: each picture is 10 kB
_MOST_LINES = 8  # levels of a factor in a picture of an interaction
_PROTOCOLS = {
    "clean": "A sixth of the training images is held out for validation; the test images were "
    "used once, after training.",
    "train60k": "Trained on all training images, validated on none.",
    "test_as_validation": "Trained on all training images and validated on the test images: "
    "whoever watched could stop when the test error suited them, so these figures flatter.",
    "tf55k": "The first twelfth of the training images isn't used; validated on the test images: "
    "whoever watched could stop when the test error suited them, so these figures flatter.",
    "split20": "The last fifth of the training images is held out for validation.",
}


def write_report(
    comparison: Comparison,
    evidence: Evidence,
    seconds: Mapping[str, float],
    made: Mapping[str, str],
    path: Path,
    *,
    disputed: Collection[int] = (),
    margin: float | None = None,
) -> None:
    """Write the page of a study, the same bytes for the same arguments.

    Parameters
    ----------
    comparison : Comparison
    evidence : Evidence
    seconds : dict of float
        Training time by run key, where it is known.
    made : dict of str
        How the report was made, e.g. the git commit: shown as it is.
    path : pathlib.Path
        The HTML file; the pictures are also written to the folder ``pictures`` beside it.
    disputed : collection of int
        Test images whose labels human raters dispute.
    margin : float or None
        Largest difference of two variants that doesn't matter, points. None takes that of the
        tests of equivalence, if there are any.
    """
    page = _Page(comparison, evidence, seconds, made, disputed, margin)
    path.write_text(_environment().get_template("report.html.j2").render(page=page))
    folder = path.with_name(PICTURES)
    shutil.rmtree(folder, ignore_errors=True)  # another study of this name may have had others
    folder.mkdir()
    for name, svg in page.pictures().items():
        (folder / f"{name}.svg").write_text(svg)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("sidebyside.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "fixed": _fixed,
        "signed": _signed,
        "interval": _interval,
        "signed_interval": _signed_interval,
        "p_value": p_value,
        "spelled": spelled,
        "level": level_text,
        "svg": _svg_uri,
        "image": _image_uri,
    }
    return environment


def _fixed(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _signed(value: float | None) -> str:
    return "-" if value is None else signed(value)


def _interval(ends: Mapping[str, Any], text: Callable[[float], str] = _fixed) -> str:
    """Return e.g. "0.10 to 0.32" of low and high, a dash where there is no interval."""
    if ends["low"] is None or ends["high"] is None:
        return "-"
    return f"{text(ends['low'])} to {text(ends['high'])}"


def _signed_interval(ends: Mapping[str, Any]) -> str:
    return _interval(ends, _signed)


def _unbroken(text: str) -> str:
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _svg_uri(svg: str) -> str:
    # As an image of its own, its ids can't clash with those of the others.
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _image_uri(pixels: NDArray[np.uint8]) -> str:
    """Return pixels, 255 is white on black, as a PNG dark on light."""
    file = io.BytesIO()
    Image.fromarray(255 - pixels).save(file, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


@dataclass(frozen=True)
class _Page:
    """What the template shows, see `write_report`; variants are numbered by mean error."""

    comparison: Comparison
    evidence: Evidence
    seconds: Mapping[str, float]
    made: Mapping[str, str]
    disputed: Collection[int]
    given_margin: float | None

    @property
    def content(self) -> dict[str, Any]:
        """The statistics, as ``comparison.json`` has them."""
        return self.comparison.analysis.content

    @property
    def answer(self) -> list[str]:
        """The sentences that open the page."""
        return self.comparison.statements[:_OPENING]

    @property
    def findings(self) -> list[str]:
        """The other sentences."""
        return self.comparison.statements[_OPENING:]

    @cached_property
    def variants(self) -> list[dict[str, Any]]:
        """The variants by mean test error, the lowest first."""
        return sorted(self.comparison.variants, key=lambda one: one["test_error"]["mean"])

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each variant on the page."""
        return {one["name"]: number for number, one in enumerate(self.variants, 1)}

    @cached_property
    def errors(self) -> dict[str, list[float]]:
        """Test errors of each variant's runs, percent."""
        return {
            name: [self.evidence.test_error(run) for run in self.evidence.of_variant(name)]
            for name in self.numbers
        }

    @property
    def protocols(self) -> dict[str, str]:
        """What the study's protocols mean."""
        names = dict.fromkeys(run.protocol for run in self.evidence.runs)
        return {name: _PROTOCOLS.get(name, "") for name in names}

    @property
    def test_watched(self) -> bool:
        """Whether the validation images of some runs are the test images."""
        return any(name in TEST_AS_VALIDATION for name in self.protocols)

    @property
    def seeds(self) -> str:
        """The number of seeds per variant, e.g. "2" or "2 to 5"."""
        return _range([one["n"] for one in self.variants])

    def label(self, variant: str) -> str:
        """Return number and name of a variant, and its protocol where the name doesn't tell."""
        text = f"{self.numbers[variant]}  {spelled(variant)}"
        if len(self.protocols) == 1 or "protocol" in self.evidence.runs[0].factors:
            return text
        return f"{text} ({self._protocol(variant)})"

    def _protocol(self, variant: str) -> str:
        return self.evidence.of_variant(variant)[0].protocol

    def protocol_note(self, a: str, b: str) -> str:
        """Return a remark where two variants follow different protocols, else nothing."""
        first, second = self._protocol(a), self._protocol(b)
        return "" if first == second else f"different protocols: {first}, {second}"

    def pictures(self) -> dict[str, str]:
        """Return the SVG text of those pictures that MLflow and DVC show too, by file name."""
        named = {
            "variants": self.interval_picture,
            "pairs": self.forest_picture,
            "equivalence": self.equivalence_picture,
            "confusion_difference": self.confusion_picture,
        }
        named |= {f"effect_of_{name}": svg for name, svg in self.level_pictures.items()}
        interactions = enumerate(self.interaction_pictures.values(), start=1)
        named |= {f"interaction_{number}": svg for number, svg in interactions}
        return {name: svg for name, svg in named.items() if svg}

    @cached_property
    def interval_picture(self) -> str:
        """Dots, means and intervals of the variants."""
        rows = [
            Row(
                label=self.label(one["name"]),
                mean=one["test_error"]["mean"],
                seeds=_ends(one["test_error"]),
                together=_ends(one["seeds_and_images"]),
                runs=self.errors[one["name"]],
            )
            for one in self.variants
        ]
        return pictures.interval_plot(rows, "test error in %", "95 % interval over seeds")

    @cached_property
    def levels(self) -> dict[str, list[Any]]:
        """The levels of each factor that has several."""
        runs = self.evidence.runs
        levels = {
            name: list(dict.fromkeys(run.factors[name] for run in runs)) for name in runs[0].factors
        }
        return {name: found for name, found in levels.items() if len(found) > 1}

    @cached_property
    def level_pictures(self) -> dict[str, str]:
        """Mean error by level, by factor."""
        if not self.levels:
            return {}
        return pictures.level_plots(
            {
                name: [self._level(name, level) for level in levels]
                for name, levels in self.levels.items()
            }
        )

    @cached_property
    def interaction_pictures(self) -> dict[str, str]:
        """Mean error by the levels of two factors, by what the picture is called."""
        pairs = {}
        for pair in combinations(self.levels, 2):
            across, lines = sorted(pair, key=lambda name: -len(self.levels[name]))
            if len(self.levels[lines]) <= _MOST_LINES:
                found = self._lines(across, lines)
                n = _range([level.n for line in found.values() for level in line])
                pairs[f"{across} across, a line per {lines} (n={n} seeds)"] = found
        if not pairs:
            return {}
        return dict(zip(pairs, pictures.interaction_plots(list(pairs.values())), strict=True))

    def _lines(self, across: str, lines: str) -> dict[str, list[Level]]:
        return {
            level_text(level): [
                self._level(across, one, {lines: level})
                for one in self.levels[across]
                if self._at({across: one, lines: level})
            ]
            for level in self.levels[lines]
        }

    def _at(self, levels: Mapping[str, Any]) -> list[RunEvidence]:
        wanted = {name: level_text(level) for name, level in levels.items()}
        return [
            run
            for run in self.evidence.runs
            if all(level_text(run.factors[name]) == text for name, text in wanted.items())
        ]

    def _level(self, factor: str, level: Any, others: Mapping[str, Any] | None = None) -> Level:
        """Return the mean of the runs at a level, with its interval over seeds."""
        runs = self._at({factor: level} | dict(others or {}))
        mean = float(np.mean([self.evidence.test_error(run) for run in runs]))
        by_seed = self._by_seed(runs, mean)
        return Level(
            name=level_text(level),
            n=len(by_seed),
            mean=mean,
            ends=_ends(interval(by_seed)),
            variants=[
                float(np.mean(self.errors[name])) for name in dict.fromkeys(r.variant for r in runs)
            ],
        )

    def _by_seed(self, runs: Sequence[RunEvidence], mean: float) -> list[float]:
        """Return the mean of some variants by seed: runs with one seed aren't independent.

        A seed that some variant wasn't run with is judged by the others.
        """
        apart: dict[int, list[float]] = {}
        for run in runs:
            error = self.evidence.test_error(run) - float(np.mean(self.errors[run.variant]))
            apart.setdefault(run.seed, []).append(error)
        return [mean + float(np.mean(errors)) for errors in apart.values()]

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

    @cached_property
    def forest_picture(self) -> str:
        """Differences from the baseline."""
        rows = [
            Row(
                label=f"{self.label(pair['a'])} (n={pair['n']}): {_unbroken(pair['verdict'])}",
                mean=pair["difference"]["mean"],
                seeds=_ends(pair["difference"]),
                together=_ends(pair["seeds_and_images"]),
                color=pictures.VERDICTS[pair["verdict"]],
            )
            for pair in self.against
            if pair["difference"]["mean"] is not None
        ]
        label = "error minus the baseline's, points (left: better)"
        return self._differences(rows, label, "95 % interval over seeds")

    def in_words(self, pair: Mapping[str, Any]) -> str:
        """Return a pair's statement with the variants' numbers for their names."""
        text = of_pair(pair)
        for name in (pair["a"], pair["b"]):  # in the order in which the statement names them
            text = text.replace(name, f"variant {self.numbers[name]}", 1)
        return text[0].upper() + text[1:]

    def _differences(self, rows: Sequence[Row], label: str, over_seeds: str) -> str:
        if not rows:
            return ""
        return pictures.interval_plot(rows, label, over_seeds, self.margin or 0, zero=True)

    @cached_property
    def equivalence_picture(self) -> str:
        """Differences of levels that should make none, with their 90 % intervals."""
        rows = [
            Row(
                label=f"{entry['factor']}: {level_text(entry['levels'][1])} minus "
                f"{level_text(entry['levels'][0])} (n={entry['n']} seeds)",
                mean=entry["difference"],
                seeds=_ends(entry),
            )
            for entry in self.content["equivalence"]
            if entry["difference"] is not None
        ]
        return self._differences(rows, "difference, points", "90 % interval over seeds")

    @cached_property
    def curve_pictures(self) -> dict[str, str]:
        """Learning curves, by variant."""
        shown = [one["name"] for one in self.variants[:_MOST_CURVES]]
        curves = {name: _curves(self.evidence.of_variant(name)) for name in shown}
        curves = {name: found for name, found in curves.items() if found}
        return pictures.curve_plots(curves) if curves else {}

    @property
    def furthest(self) -> str | None:
        """The variant whose mean error is furthest from the baseline's."""
        mean = {name: float(np.mean(errors)) for name, errors in self.errors.items()}
        others = [name for name in mean if name != self.baseline]
        return max(others, key=lambda name: abs(mean[name] - mean[self.baseline]), default=None)

    @cached_property
    def confusion_picture(self) -> str:
        """The mean confusion matrix of the furthest variant minus the baseline's, if any."""
        if self.furthest is None:
            return ""
        first, second = (
            np.mean(
                [self.evidence.confusion(run) for run in self.evidence.of_variant(name)], axis=0
            )
            for name in (self.furthest, self.baseline)
        )
        return pictures.confusion_plot(first - second)

    @property
    def gallery(self) -> list[Any]:
        """The images that the variants disagree on most."""
        return gallery_entries(self.evidence, self.disputed)

    @cached_property
    def costs(self) -> list[dict[str, Any]]:
        """Parameters, mean seconds and error of each variant, and whether it is on a front."""
        rows = []
        for one in self.variants:
            times = [
                self.seconds[run.key]
                for run in self.evidence.of_variant(one["name"])
                if run.key in self.seconds
            ]
            rows.append(
                {
                    "name": one["name"],
                    "parameters": one["parameters"],
                    "timed": len(times),
                    "seconds": float(np.mean(times)) if times else None,
                    "error": one["test_error"]["mean"],
                }
            )
        return rows

    def cost_picture(self, cost: str, label: str) -> str:
        """Return a cost beside the error, nothing where there is nothing to weigh."""
        known = [row for row in self.costs if row[cost] is not None]
        if len({row[cost] for row in known}) < 2:
            return ""
        front = pareto_front([(row[cost], row["error"]) for row in known])
        points = [
            Point(self.numbers[row["name"]], row[cost], row["error"], on_front)
            for row, on_front in zip(known, front, strict=True)
        ]
        return pictures.cost_plot(points, label)

    @property
    def origins(self) -> list[dict[str, str]]:
        """The environments and sources that runs were made under, with the number of runs."""
        found = Counter(tuple(_origin(run).items()) for run in self.evidence.runs)
        return [{"runs": str(runs)} | dict(origin) for origin, runs in found.items()]

    @property
    def settings(self) -> list[dict[str, str]]:
        """The settings that weren't varied."""
        return condition_rows(self.evidence)

    @property
    def command(self) -> str:
        """The command that trains the runs."""
        return training_command(self.evidence)


def _range(counts: Sequence[int]) -> str:
    few, many = min(counts), max(counts)
    return str(few) if few == many else f"{few} to {many}"


def pareto_front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Return which points no other beats: none is as low in both and lower in one."""
    return [
        not any(
            other[0] <= point[0] and other[1] <= point[1] and other != point for other in points
        )
        for point in points
    ]


def _origin(run: RunEvidence) -> dict[str, str]:
    """Return what a run was made by and on, as words to show."""
    environment, sources = run.identity.get("environment", {}), run.identity.get("sources", {})
    cpu = environment.get("cpu", {})
    digests = [f"{file} {digest[:_DIGITS]}" for file, digest in sources.items()]
    known = environment.get("versions", {}) | {
        "CPU": ", ".join(cpu[name] for name in ("model", "architecture") if name in cpu),
        "instructions": " ".join(cpu.get("instructions", [])),
        "threads": str(environment.get("threads", "")),
        "oneDNN": environment.get("onednn", ""),
        "code": ", ".join(digests),
    }
    return {name: value or "not recorded" for name, value in known.items()}


def _ends(found: Mapping[str, Any] | None) -> tuple[float, float] | None:
    if found is None or found["low"] is None or found["high"] is None:
        return None
    return float(found["low"]), float(found["high"])


def _curves(runs: Sequence[RunEvidence]) -> dict[str, NDArray[np.float64]]:
    """Return errors in percent of a variant's runs, by epoch."""
    found = {}
    for name, figure in (("training", "accuracy"), ("validation", "val_accuracy")):
        if all(run.history.get(figure) for run in runs):
            found[name] = 100 * (1 - np.array([run.history[figure] for run in runs]))
    return found
