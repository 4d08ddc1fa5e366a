"""Whether all committed reports are what their evidence makes, and what the code trains."""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sidebyside import paths
from sidebyside.config.compose import compose_config
from sidebyside.config.schema import Config
from sidebyside.config.validate import check
from sidebyside.errors import UserError
from sidebyside.execution.planning.timings import Timings
from sidebyside.report.files import training_seconds
from sidebyside.storage.evidence import Evidence, RunEvidence
from sidebyside.storage.evidence_files import committed
from sidebyside.verify.bits import Again, Verdict, train_again
from sidebyside.verify.outcome import Outcome
from sidebyside.verify.rebuilt import rebuild, reports


@dataclass(frozen=True)
class Report:
    """A committed report against its evidence.

    Attributes
    ----------
    dataset, study : str
    files : int
        How many it has, all of which were made anew.
    wrong : list of str
        What of it isn't as its evidence says.
    retrained : Verdict or None
        Of its run that was trained again, None where none was.
    """

    dataset: str
    study: str
    files: int
    wrong: list[str]
    retrained: Verdict | None = None

    @property
    def name(self) -> str:
        """The report's folder among all reports."""
        return f"{self.dataset}/{self.study}"

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.wrong and (self.retrained is None or comes_out_again(self.retrained))

    def as_json(self) -> dict[str, Any]:
        """Return the fields, and what follows from them, as JSON types."""
        retrained = self.retrained and self.retrained.as_json()
        return asdict(self) | {"retrained": retrained, "holds": self.holds}


def comes_out_again(verdict: Verdict) -> bool:
    """Whether a run has the same bits and predicts as before, or elsewhere predicts alike.

    Other package versions, or another numeric class, give other bits: there predictions tell.
    """
    return _is_the_same(verdict) or (not verdict.same_environment and verdict.same_predictions)


def _is_the_same(verdict: Verdict) -> bool:
    """Whether weights and predictions are: evidence that was tampered with may keep the former."""
    return verdict.same_bits and verdict.flips == 0


def verify_committed(count: int) -> Outcome[Report]:
    """Make all committed reports anew from their evidence, and train a run of some again.

    Parameters
    ----------
    count : int
        Of so many studies: of each the cheapest run, and those studies whose cheapest runs are.

    Raises
    ------
    UserError
        If there are no reports, or a run can't be trained again.
    """
    names = reports()
    if not names:
        raise UserError(
            f"{paths.root() / 'reports'} holds no report: run this in a clone of the project, or "
            "after a study was compared."
        )
    found = []
    for dataset, study in names:
        found.append(Report(dataset, study, *rebuild(dataset, study)))
        state = "differs" if found[-1].wrong else "is as its evidence says"
        print(f"{len(found)}/{len(names)} reports: {found[-1].name} {state}", file=sys.stderr)
    chosen = _cheapest([report for report in found if not report.wrong], count)
    verdicts = dict(zip(chosen, train_again(list(chosen.values())), strict=True)) if chosen else {}
    found = [replace(report, retrained=verdicts.get(report.name)) for report in found]
    return Outcome(
        check="committed",
        passed=all(report.holds for report in found),
        summary=_summary(found),
        findings=found,
        looks=None,
    )


def _cheapest(found: Sequence[Report], count: int) -> dict[str, Again]:
    """Return the run that is cheapest to train of as many studies, the cheapest of all first."""
    costs: list[tuple[float, str, Again]] = []
    for report in found if count else []:
        evidence = committed(report.dataset, report.study)
        base = check(compose_config([f"dataset={report.dataset}"]))
        if evidence is not None:
            costs += [
                (seconds, report.name, Again(evidence, run, base))
                for run, seconds in _costs(evidence, base)
            ]
    chosen: dict[str, Again] = {}
    keys: set[str] = set()
    for _, name, again in sorted(costs, key=lambda cost: cost[:2]):
        if len(chosen) < count and name not in chosen and again.run.key not in keys:
            chosen[name] = again
            keys.add(again.run.key)
    return chosen


def _costs(evidence: Evidence, base: Config) -> list[tuple[RunEvidence, float]]:
    """Return what each run took, as recorded beside its report, or else is thought to take."""
    recorded = training_seconds(paths.reports(evidence.dataset, evidence.study))
    timings, thought = Timings([base]), {}
    for run in evidence.runs:
        if run.key not in recorded and run.variant not in thought:
            thought[run.variant] = timings.training(base.with_recipe(run.recipe))
    return [(run, recorded.get(run.key) or thought[run.variant]) for run in evidence.runs]


def _summary(found: Sequence[Report]) -> str:
    built = sum(not report.wrong for report in found)
    retrained = [report.retrained for report in found if report.retrained is not None]
    bits = sum(_is_the_same(verdict) for verdict in retrained)
    predictions = sum(comes_out_again(verdict) for verdict in retrained) - bits
    again = f"Of {len(retrained)} runs trained again {bits} have the same bits"
    if predictions:
        again += f", {predictions} predict as before in another environment"
    summary = f"{built} of {len(found)} reports are what their evidence makes, byte for byte."
    return f"{summary} {again}." if retrained else summary
