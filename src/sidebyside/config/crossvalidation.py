"""What a study under cross-validation has to be, checked before any work starts."""

from collections.abc import Mapping, Sequence

from sidebyside.config.factors import Level, variant_name
from sidebyside.config.metrics import Metric
from sidebyside.config.protocols import FOLDS, folds_of
from sidebyside.config.schema import Config
from sidebyside.errors import UserError


def check_folds(grid: Sequence[tuple[Config, Mapping[str, Level]]]) -> None:
    """Raise a UserError where the runs of a study, with their levels, are no cross-validation.

    A study without folds, and runs that are compared by no study, may be as they are.
    """
    config, _ = grid[0]
    protocols = list(dict.fromkeys(own.protocol for own, _ in grid))
    folded = next((name for name in protocols if name in FOLDS), None)
    if config.study is None or folded is None:
        return
    if len(protocols) > 1:
        raise UserError(
            f"protocol={','.join(protocols)} can't be held against each other in one study, as "
            f"{folded} tests its runs on other images: run a study of another name for each."
        )
    if config.study.until is not None:
        raise UserError(
            f"study.until={config.study.until} won't do with protocol={folded}: rules for adding "
            "seeds count on seeds that are independent, and folds share images. Set training.seeds "
            "instead."
        )
    if config.study.seeds == "independent":
        raise UserError(
            f"study.seeds=independent won't do with protocol={folded}, whose folds follow from the "
            "seeds: leave it out, so that all variants have the same folds."
        )
    check_metric_of_folds(config.study.judged_by, folded)
    _check_repetitions(grid, folds_of(folded))


def check_metric_of_folds(metric: Metric, protocol: str) -> None:
    """Raise a UserError if runs under a protocol with folds can't be judged by a metric.

    What isn't a mean over images depends on how many there are, in a fold on few, and the
    correction for folds is that of means.
    """
    if protocol in FOLDS and not metric.by_image:
        raise UserError(
            f"study.metric={metric.chosen} won't do with protocol={protocol}, as it is no mean "
            "over images and a fold has few of them: choose log_loss or brier, which judge "
            "certainty too."
        )


def _check_repetitions(grid: Sequence[tuple[Config, Mapping[str, Level]]], folds: int) -> None:
    seeds: dict[str, set[int]] = {}
    for config, factors in grid:
        seeds.setdefault(variant_name(factors), set()).add(config.seed)
    for own in seeds.values():
        repetitions = {seed // folds for seed in own}
        if own != {seed for r in repetitions for seed in range(r * folds, (r + 1) * folds)}:
            given = ", ".join(map(str, sorted(own)))
            raise UserError(
                f"protocol=kfold{folds} takes the seeds of whole repetitions, {folds} each, and "
                f"{given} are none: set training.seeds={folds}, or another multiple of {folds}."
            )
