"""What a report says of cross-validation: how images were divided, and what follows from it."""

from typing import Any

from sidebyside.config.metrics import ERROR, Metric
from sidebyside.report.text.markdown import paragraph
from sidebyside.report.text.numbers import counted
from sidebyside.report.text.scale import Scale
from sidebyside.storage.evidence import Evidence

CORRECTED = (
    "Runs under cross-validation train on overlapping images, so all intervals and tests over "
    "seeds are those of the corrected resampled t test (Nadeau & Bengio 2003)."
)


def in_folds(scale: Scale) -> str:
    """Return what the table of variants holds."""
    return f"""
        {scale.subject}, mean over n seeds, each tested on its fold. {CORRECTED} They are for other
        seeds and other images, in training too. A dash: what takes the same test images in all
        runs, which folds don't give."""


def meaning(folds: int) -> str:
    """Return what a protocol with so many folds is."""
    return (
        f"The training images are divided into {folds} folds, stratified, anew for every {folds} "
        "seeds. A run is trained on all but one and tested on that; nothing validates, and the "
        "test images aren't opened."
    )


def division_of(evidence: Evidence) -> dict[str, Any]:
    """Return how images were divided, as ``comparison.json`` has it."""
    seeds = {run.seed for run in evidence.runs}
    return {
        "folds": evidence.folds,
        "repetitions": len({seed // evidence.folds for seed in seeds}),
        "images": len(evidence.target),
        "correction": "Nadeau & Bengio 2003",
    }


def of_division(evidence: Evidence) -> list[str]:
    """Return the sentence that opens the report of a cross-validation, none of another study."""
    if evidence.folds == 1:
        return []
    division = division_of(evidence)
    times = division["repetitions"]
    return [
        f"Cross-validation with {evidence.folds} folds of {division['images']} training images, "
        f"{counted(times, 'repetition')}: each run is tested on the fold that it wasn't "
        f"trained on, and the test images of {evidence.dataset} aren't opened."
    ]


def of_limits(evidence: Evidence) -> list[str]:
    """Return the sentences on what a cross-validation can't tell, none for another study."""
    if evidence.folds == 1:
        return []
    scale = Scale(evidence.metric)
    return [
        paragraph(f"""
            {CORRECTED} That is an approximation: no estimator of the variance of cross-validation
            is without bias (Bengio & Grandvalet 2004), and further repetitions divide the same
            images and aren't independent, so that more of them can't make an interval as narrow as
            one likes. In simulation a test at 5 % finds differences of errors that aren't there in
            up to 7 % of studies with one or two repetitions and in up to 10 % with ten
            (docs/crossvalidation.md).{_unsimulated(evidence.metric)}"""),
        paragraph(f"""
            Left out, as the runs of a variant aren't tested on the same images: intervals and tests
            over images, McNemar's test, ensembles, the images that variants disagree on and
            disputed labels; and as nothing validates, the choice by validation error. Whoever picks
            the variant with the {scale.best} {scale.metric.label} of cross-validation should expect
            a {scale.worse} one."""),
    ]


def _unsimulated(metric: Metric) -> str:
    return "" if metric == ERROR else f" Of the {metric.label} nothing was simulated."
