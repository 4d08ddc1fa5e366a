"""Everything that a report says of a study, computed from its evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.proportion import proportion_confint

from sidebyside.effects import effects
from sidebyside.equivalence import matched_differences, tost
from sidebyside.errors import UserError
from sidebyside.evidence import Evidence, RunEvidence
from sidebyside.factors import Level
from sidebyside.files import each_number
from sidebyside.intervals import CONFIDENCE
from sidebyside.over_images import cochran_q, error_over_images
from sidebyside.pairs import Replicate, compare_pairs
from sidebyside.power import power
from sidebyside.protocols import TEST_AS_VALIDATION
from sidebyside.schema import Study
from sidebyside.statements import statements

_ALL_PAIRS = 20  # variants; of more, each is held against the baseline alone


@dataclass(frozen=True)
class Analysis:
    """The statistics of a study.

    Attributes
    ----------
    content : dict
        What ``comparison.json`` gains: effects, pairs, equivalence, power, ensemble, ...
    over_images : dict
        By variant: ends of the 95 % interval over images of its mean error, percent.
    baseline : str
        The variant that pictures hold the others against.
    protocols : dict of str
        By variant.
    """

    content: dict[str, Any]
    over_images: dict[str, dict[str, float]]
    baseline: str
    protocols: dict[str, str]

    @property
    def confounded(self) -> bool:
        """Whether levels may differ by protocol as well, which is no factor of its own."""
        factors = {effect["factor"] for effect in self.content["effects"]["main"]}
        return len(set(self.protocols.values())) > 1 and "protocol" not in factors


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
    replicates = [replicate_of(evidence, name) for name in variants(evidence)]
    selection = _selection(evidence)
    baseline = _baseline(study, replicates, selection)
    single = [one.wrong[0] for one in replicates if len(one.seeds) == 1]
    content: dict[str, Any] = {
        "effects": effects(factor_table(evidence), list(evidence.runs[0].factors)).as_json(),
        "pairs": [
            pair.as_json()
            for pair in compare_pairs(replicates, _pairs(replicates, baseline), study.margin)
        ],
        "cochran_q": cochran_q(single) if len(single) == len(replicates) > 1 else None,
        "equivalence": _equivalence(evidence, study),
        "power": power([one.errors for one in replicates]).as_json(),
        "ensemble": _ensembles(evidence),
        "floor": _floor(replicates, disputed),
        "selection": selection,
    }
    # Else a number in the middle, 0.475, would become text as the last bits of a sum have it, which
    # aren't the same in every environment.
    content = each_number(content, lambda number: float(f"{number:.9g}"))
    analysis = Analysis(
        content=content,
        over_images={one.name: error_over_images(one.wrong) for one in replicates},
        baseline=baseline,
        protocols={run.variant: run.protocol for run in evidence.runs},
    )
    protocols = list(dict.fromkeys(analysis.protocols.values()))
    content["statements"] = statements(content, protocols, analysis.confounded)
    return analysis


def variants(evidence: Evidence) -> list[str]:
    """Return the names of a study's variants, in the order of its grid."""
    return list(dict.fromkeys(run.variant for run in evidence.runs))


def replicate_of(evidence: Evidence, variant: str) -> Replicate:
    """Return the runs of a variant as the statistics take them."""
    runs = evidence.of_variant(variant)
    return Replicate(
        name=variant,
        seeds=[run.seed for run in runs],
        errors=[evidence.test_error(run) for run in runs],
        wrong=np.stack([run.predicted != evidence.target for run in runs]),
    )


def factor_table(evidence: Evidence) -> pd.DataFrame:
    """Return a row per run: its level of each factor, ``seed`` and ``test_error`` (percent)."""
    rows = [
        run.factors | {"seed": run.seed, "test_error": evidence.test_error(run)}
        for run in evidence.runs
    ]
    table = pd.DataFrame(rows, dtype=object)  # else pandas makes a level 3 beside null 3.0
    return table.astype({"seed": int, "test_error": float})


def _baseline(
    study: Study, replicates: Sequence[Replicate], selection: dict[str, Any] | None
) -> str:
    names = [one.name for one in replicates]
    if study.baseline is not None:
        if study.baseline not in names:
            raise UserError(
                f"study.baseline={study.baseline} is no variant of this study: choose one of "
                f"{'; '.join(names)}."
            )
        return study.baseline
    return str(selection["chosen"]) if selection else names[0]


def _pairs(replicates: Sequence[Replicate], baseline: str) -> list[tuple[str, str]]:
    """Return all pairs with the baseline second where it takes part, or only those with it."""
    names = [one.name for one in replicates]
    others = [name for name in names if name != baseline]
    against = [(name, baseline) for name in others]
    return against + (list(combinations(others, 2)) if len(names) <= _ALL_PAIRS else [])


def _equivalence(evidence: Evidence, study: Study) -> list[dict[str, Any]]:
    table, found = factor_table(evidence), []
    for factor in study.expected_equal:
        if factor not in evidence.runs[0].factors:
            raise UserError(
                f"study.expected_equal names {factor}, which is no factor of this study: its "
                f"factors are {', '.join(evidence.runs[0].factors) or 'none'}."
            )
        levels: list[Level] = list(dict.fromkeys(run.factors[factor] for run in evidence.runs))
        for a, b in combinations(levels, 2):
            result = tost(matched_differences(table, factor, (a, b)), study.margin)
            exact = _exact(evidence.runs) if factor == "data_format" else None
            found.append({"factor": factor, "levels": [a, b]} | result.as_json() | {"exact": exact})
    return found


def _exact(runs: Sequence[RunEvidence]) -> dict[str, Any] | None:
    """Return what the same weights gave in both data formats, over all runs."""
    checks = [run.layout for run in runs if run.layout]
    if not checks:
        return None
    return {
        "networks": len(checks),
        "images": sum(check["images"] for check in checks),
        "flips": sum(check["flips"] for check in checks),
        "largest_difference": max(check["largest_difference"] for check in checks),
    }


def _ensembles(evidence: Evidence) -> list[dict[str, Any]]:
    found = []
    for ensemble in evidence.ensembles:
        wrong, images = int((ensemble.predicted != evidence.target).sum()), len(evidence.target)
        low, high = proportion_confint(wrong, images, 1 - CONFIDENCE, method="wilson")
        errors = [evidence.test_error(run) for run in evidence.of_variant(ensemble.variant)]
        found.append(
            {
                "variant": ensemble.variant,
                "n": ensemble.members,
                "test_error": 100 * wrong / images,
                "low": 100 * float(low),
                "high": 100 * float(high),
                "mean_of_members": float(np.mean(errors)),
            }
        )
    return found


def _floor(replicates: Sequence[Replicate], disputed: Sequence[int]) -> dict[str, Any] | None:
    """Return the errors with and without the images whose labels are disputed."""
    if not disputed:
        return None
    undisputed: NDArray[np.bool_] = np.ones(replicates[0].wrong.shape[1], bool)
    undisputed[list(disputed)] = False
    return {
        "images": len(disputed),
        "variants": [
            {
                "variant": one.name,
                "with": 100 * float(one.wrong.mean()),
                "without": 100 * float(one.wrong[:, undisputed].mean()),
            }
            for one in replicates
        ],
    }


def _selection(evidence: Evidence) -> dict[str, Any] | None:
    """Return the variant to choose by validation error, and what choosing by test error flatters.

    None where some variant has no validation images of its own.
    """
    rows = []
    for variant in variants(evidence):
        runs = evidence.of_variant(variant)
        if any(r.protocol in TEST_AS_VALIDATION or "val_accuracy" not in r.history for r in runs):
            return None
        validation = np.mean([100 * (1 - run.history["val_accuracy"][-1]) for run in runs])
        test = np.mean([evidence.test_error(run) for run in runs])
        rows.append((variant, float(validation), float(test)))
    chosen, lowest = min(rows, key=lambda row: row[1]), min(rows, key=lambda row: row[2])
    return {
        "chosen": chosen[0],
        "validation_error": chosen[1],
        "test_error": chosen[2],
        "lowest_test": lowest[0],
        "lowest_test_error": lowest[2],
        "flattery": chosen[2] - lowest[2],
    }
