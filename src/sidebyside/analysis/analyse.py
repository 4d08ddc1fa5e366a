"""Everything that a report says of a study, computed from its evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import comb, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside.analysis.asked import asked_pairs
from sidebyside.analysis.cost.no_worse import no_worse_than
from sidebyside.analysis.cost.sizes import sizes
from sidebyside.analysis.effects.estimates import Effects
from sidebyside.analysis.effects.of_study import effects_of, equivalence_of
from sidebyside.analysis.ensembles import ensembles
from sidebyside.analysis.identical import counted_once, identical_variants
from sidebyside.analysis.images import mean_over_images, widened
from sidebyside.analysis.intervals import (
    CONFIDENCE,
    MeanEstimate,
    clipped,
    interval,
    new_seeds_and_images,
)
from sidebyside.analysis.looks import Looks, looks_of
from sidebyside.analysis.many.families import Asked, Family, asked_of, with_reasons
from sidebyside.analysis.many.parallel import each
from sidebyside.analysis.metrics.replicate import Replicate
from sidebyside.analysis.metrics.scores import in_unit, is_counted, mean_without, unit_of
from sidebyside.analysis.power import power, rows_in_common
from sidebyside.analysis.selection import Selection, select
from sidebyside.analysis.tables import (
    candidates_of,
    least_variance_of,
    replicates_of,
)
from sidebyside.analysis.two_stages import in_two_stages, two_stage_estimate
from sidebyside.config.metrics import ERROR, Metric
from sidebyside.config.schema import Study
from sidebyside.errors import UserError
from sidebyside.files import each_number
from sidebyside.storage.evidence import Evidence, RunEvidence

_ASKED = ("margin", "baseline", "expected_equal", "pairs")


@dataclass(frozen=True)
class Analysis:
    """The statistics of a study.

    Attributes
    ----------
    content : dict
        What ``comparison.json`` gains: effects, pairs, equivalence, power, ensemble, ...
    over_seeds, over_images, seeds_and_images : dict
        By variant: its mean by the metric with the ends of its 95 % interval for other seeds
        (None for one seed), and the ends of those for other images and for both together (None
        for a metric that is no mean over images, and under cross-validation).
    baseline : str
        The variant that pictures hold the others against.
    protocols : dict of str
        By variant.
    metric : Metric
        What all of it is told by.
    decided_within : float or None
        The margin beyond which a factor makes no difference if its interval is within it, in a
        study whose seeds were added until that was so of each factor, or it made one.
    by_protocol : bool
        Whether the protocol is one of the factors.
    asked : dict
        What the study asks: ``margin``, ``baseline``, ``expected_equal`` and ``pairs``.
    in_step : bool
        Whether factors are judged by the seeds that all variants have alone, as seeds were added at
        looks.
    independent : bool
        Whether each variant has seeds of its own.
    """

    content: dict[str, Any]
    over_seeds: dict[str, dict[str, float | None]]
    over_images: dict[str, dict[str, float] | None]
    seeds_and_images: dict[str, dict[str, float] | None]
    baseline: str
    protocols: dict[str, str]
    metric: Metric = ERROR
    decided_within: float | None = None
    by_protocol: bool = False
    asked: Mapping[str, Any] = field(default_factory=dict)
    in_step: bool = False
    independent: bool = False

    @property
    def confounded(self) -> bool:
        """Whether levels may differ by protocol as well, which is no factor of its own."""
        return len(set(self.protocols.values())) > 1 and not self.by_protocol

    @property
    def effects(self) -> dict[str, list[dict[str, Any]]]:
        """What can be told of factors: nothing where it may be what the protocol does."""
        effects: dict[str, list[dict[str, Any]]] = self.content["effects"]
        return {kind: [] for kind in effects} if self.confounded else effects

    @property
    def main_effects(self) -> list[dict[str, Any]]:
        """Those of factors that weren't expected to make no difference."""
        expected = {entry["factor"] for entry in self.content["equivalence"]}
        return [effect for effect in self.effects["main"] if effect["factor"] not in expected]


def analyse(evidence: Evidence, study: Study, disputed: Sequence[int]) -> Analysis:
    """Return the statistics of a study.

    Parameters
    ----------
    evidence : Evidence
    study : Study
        Says which factors were expected to make no difference, the margin, and the baseline.
    disputed : sequence of int
        Test images whose labels human raters dispute.

    Raises
    ------
    UserError
        If the study names a factor or a variant that it doesn't have.
    """
    replicates = replicates_of(evidence)
    identical = identical_variants(evidence.runs)
    seeds_of = {name: own.seeds for name, own in replicates.items()}
    once = counted_once(seeds_of, identical, study.baseline)
    candidates = candidates_of(evidence, once, replicates)
    looks = looks_of(evidence.stopping)
    of_new = {name: _seeds_and_images(own, evidence, looks) for name, own in replicates.items()}
    chosen = select(candidates, of_new) if candidates else None
    baseline = _baseline(study, list(replicates), chosen)
    distinct = [replicates[name] for name in counted_once(seeds_of, identical, baseline)]
    names = [replicate.name for replicate in distinct]
    decided = asked_pairs(evidence.stopping, names, baseline)
    # A baseline that the runs themselves have chosen might have been any variant.
    choosing = chosen is not None and not study.baseline
    among = comb(len(distinct), 2) if choosing else 0
    asked = (
        asked_of(study, distinct, list(replicates), baseline, choosing)
        if decided is None
        else Asked([Family(decided)], {}, len(distinct))
    )
    against = asked.families[0]
    compared = asked.compare(list(replicates.values()), study.margin, looks)
    seeds = {"seeds": "independent"} if evidence.independent else {}
    found = effects_of(evidence, study)
    common = rows_in_common([own.values for own in distinct], [own.seeds for own in distinct])
    content: dict[str, Any] = {
        "identical": identical,
        "effects": found.as_json(),
        "pairs": [with_reasons(pair.as_json() | seeds, pair, asked) for pair in compared],
        "equivalence": _equivalence(evidence, study, found),
        "no_worse": [
            entry.as_json()
            for entry in no_worse_than(
                replicates[baseline],
                distinct,
                sizes(evidence),
                study.margin,
                among,
                looks,
                compared,
            )
        ],
        "power": asdict(
            power(common, against.size, study.margin, least_variance_of(evidence), evidence.folds)
        ),
        "ensemble": ensembles(evidence, names).as_json(evidence.metric.name),
        "floor": _floor(distinct, evidence.target, disputed) if evidence.folds == 1 else None,
        "selection": chosen and chosen.as_json(),
        **asked.as_json(),
    }
    over_images = dict(zip(replicates, each(_over_images, [*replicates.values()]), strict=True))
    return Analysis(
        content=settled(content),
        over_seeds=settled({name: _over_seeds(own, evidence) for name, own in replicates.items()}),
        over_images=settled(over_images),
        seeds_and_images=settled(of_new),
        baseline=baseline,
        protocols={run.variant: run.protocol for run in evidence.runs},
        metric=evidence.metric,
        decided_within=study.margin if _asks_factors(evidence) else None,
        by_protocol="protocol" in evidence.runs[0].factors,
        asked={name: getattr(study, name) for name in _ASKED},
        in_step=looks is not None,
        independent=evidence.independent,
    )


def settled(content: Any) -> Any:
    """Return content whose numbers become the same text wherever they are told.

    A number in the middle, 0.475, would become text as the last bits of a sum have it, which aren't
    the same in every environment, nor for two ways to the same mean.
    """
    return each_number(content, lambda number: float(f"{round(number, 12) + 0.0:.9g}"))


def _asks_factors(evidence: Evidence) -> bool:
    rule = evidence.stopping or {}
    return rule.get("until") == "decided" and rule.get("question") == "factors"


def _over_seeds(replicate: Replicate, evidence: Evidence) -> dict[str, float | None]:
    least, bounds = replicate.rounding, replicate.metric.bounds
    if estimate := _in_stages(replicate, evidence):
        return interval(replicate.values) | estimate.clipped_ends(bounds=bounds)
    looks = looks_of(evidence.stopping)
    confidence = looks.confidence(len(replicate.seeds)) if looks else CONFIDENCE
    return clipped(interval(replicate.values, least, confidence, replicate.folds), bounds)


def _in_stages(replicate: Replicate, evidence: Evidence) -> MeanEstimate | None:
    """Return the mean over seeds that were added in two stages, None where they weren't."""
    if not in_two_stages(evidence.stopping):
        return None
    in_order = [replicate.values[i] for i in np.argsort(replicate.seeds)]
    return two_stage_estimate(in_order, replicate.rounding)


def _over_images(replicate: Replicate) -> dict[str, float] | None:
    return mean_over_images(replicate.scores, replicate.metric.bounds)


def _seeds_and_images(
    replicate: Replicate, evidence: Evidence, looks: Looks | None
) -> dict[str, float] | None:
    confidence = looks.confidence(len(replicate.seeds)) if looks else CONFIDENCE
    mean = new_seeds_and_images(
        in_unit(replicate.scores),
        _in_stages(replicate, evidence),
        replicate.rounding,
        skewed=not is_counted(replicate.scores),
    )
    if mean is None:
        return None
    ends = mean.clipped_ends(confidence, replicate.metric.bounds)
    return widened(ends, replicate.scores, confidence)


def _baseline(study: Study, names: Sequence[str], chosen: Selection | None) -> str:
    if study.baseline is not None:
        if study.baseline not in names:
            raise UserError(
                f"study.baseline={study.baseline} is no variant of this study: choose one of "
                f"{'; '.join(names)}."
            )
        return study.baseline
    return chosen.chosen if chosen else names[0]


def _equivalence(evidence: Evidence, study: Study, found: Effects) -> list[dict[str, Any]]:
    exact = _exact(evidence.runs)
    return [
        entry.as_json() | {"exact": exact if entry.factor == "data_format" else None}
        for entry in equivalence_of(evidence, study, found)
    ]


def _exact(runs: Sequence[RunEvidence]) -> dict[str, Any] | None:
    """Return what the same weights gave in both data formats, over all runs.

    Networks of runs that diverged have no logits that could differ, nor predictions to change.
    """
    checks = [run.layout for run in runs if run.layout]
    checks = [check for check in checks if isfinite(check["largest_difference"])]
    if not checks:
        return None
    return {
        "networks": len(checks),
        "images": sum(check["images"] for check in checks),
        "flips": sum(check["flips"] for check in checks),
        "largest_difference": max(check["largest_difference"] for check in checks),
    }


def _floor(
    replicates: Sequence[Replicate], target: NDArray[np.uint8], disputed: Sequence[int]
) -> dict[str, Any] | None:
    """Return the means with and without the images whose labels are disputed."""
    if not disputed or not replicates[0].metric.by_image:
        return None
    if beyond := [at for at in disputed if at >= target.size]:
        raise UserError(
            f"dataset.disputed names the test image {beyond[0]}, and there are {target.size}, "
            "counted from 0: correct it in the dataset's config."
        )
    return {
        "images": len(set(disputed)),
        "variants": [
            {
                "variant": own.name,
                "with": unit_of(own.scores) * float(own.scores.mean(dtype=float)),
                "without": mean_without(own.metric, own.scores, target, disputed),
            }
            for own in replicates
        ],
    }
