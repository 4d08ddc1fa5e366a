"""How many seeds each variant gets next, where a study's rule asks for more."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside import paths
from sidebyside.config.factors import Level
from sidebyside.config.metrics import ERROR
from sidebyside.config.schema import Config, Study
from sidebyside.data.prepare import prepare
from sidebyside.errors import UserError
from sidebyside.files import read_json
from sidebyside.storage import journal, store
from sidebyside.storage.evaluations import stored_evaluation
from sidebyside.storage.evidence import Evidence, RunEvidence
from sidebyside.storage.evidence_files import committed
from sidebyside.storage.results import StudyRun
from sidebyside.storage.rules import record_look
from sidebyside.storage.store import DamagedError


@dataclass(frozen=True)
class Stage:
    """What a look says: how many seeds each variant is to have, and why."""

    seeds: dict[str, int]
    reason: str


def check_rule(study: Study, variants: Mapping[str, Mapping[str, Level]]) -> None:
    """Raise a UserError where a rule for adding seeds can't be followed.

    ``variants`` are the levels of each by its name.
    """
    from sidebyside.analysis.looks import COUNTS
    from sidebyside.analysis.two_stages import FIRST

    if study.until == "narrow" and study.halfwidth is None:
        raise UserError(
            "study.until=narrow needs a width: set study.halfwidth to half of that of the "
            f"intervals{_in_unit(study)}."
        )
    if study.until == "narrow" and study.max_seeds < FIRST:
        raise UserError(
            f"study.max_seeds={study.max_seeds} won't do with study.until=narrow, whose first "
            f"stage takes {FIRST} seeds."
        )
    if study.until == "decided" and study.max_seeds not in COUNTS:
        raise UserError(
            f"study.max_seeds={study.max_seeds} won't do with study.until=decided, which looks at "
            f"{', '.join(map(str, COUNTS))} seeds: choose the last of them that it may take."
        )
    named = [] if isinstance(study.question, str) else study.question
    if study.question not in ("variants", "factors") and len(named) != 2:
        raise UserError(
            f"study.question={study.question} won't do: choose variants, factors, or two variants "
            "by name, [one, other]."
        )
    varying = _varying(list(variants.values()))
    if study.question == "factors" and len(varying) < 2 < len(variants):
        raise UserError(
            f"study.question=factors won't do where {varying[0]} alone varies: what its levels do "
            "are pairs of variants, so choose study.question=variants."
        )
    if study.question == "factors":
        _check_averages(study, list(variants.values()))
    for name in [*named, *([study.baseline] if study.baseline else [])]:
        if name not in variants:
            raise UserError(
                f"study.{'question' if name in named else 'baseline'} names {name}, which is no "
                f"variant of this study: choose of {'; '.join(variants)}."
            )


def _check_averages(study: Study, variants: Sequence[Mapping[str, Level]]) -> None:
    from sidebyside.analysis.effects.estimable import untold

    if never := [name for name in untold(variants) if name not in study.expected_equal]:
        raise UserError(
            f"study.question=factors is never decided for {', '.join(never)}, as this study lacks "
            "combinations of levels: sweep all of them, or choose study.question=variants."
        )


def _varying(variants: Sequence[Mapping[str, Level]]) -> list[str]:
    """Return the factors that have several levels."""
    return [name for name in variants[0] if any(own[name] != variants[0][name] for own in variants)]


def _in_unit(study: Study) -> str:
    metric = study.judged_by
    if metric == ERROR:
        return ", in points, 0.1 for instance"
    return f", in {metric.unit_apart}" if metric.unit_apart else f" of the {metric.label}"


def first_stage(study: Study) -> int:
    """Return how many seeds each variant begins with."""
    from sidebyside.analysis.looks import COUNTS
    from sidebyside.analysis.two_stages import FIRST

    return COUNTS[0] if study.until == "decided" else FIRST


def next_stage(config: Config, runs: Sequence[StudyRun]) -> Stage | None:
    """Look at all runs so far; return who gets more seeds, None where the rule is met.

    Parameters
    ----------
    config : Config
        Of a study with a rule.
    runs : sequence of StudyRun
        Evaluated.
    """
    assert config.study is not None
    study, rule = config.study, config.study.stopping()
    assert rule is not None
    record_look(config.dataset.name, study.name, rule, [run.key for run in runs])
    evidence = _evidence(config, runs, rule)
    return _undecided(evidence, study) if study.until == "decided" else _wide(evidence, study)


def _undecided(evidence: Evidence, study: Study) -> Stage | None:
    from sidebyside.analysis.deciding import progress
    from sidebyside.analysis.looks import looks_up_to

    looks, counts = looks_up_to(study.max_seeds), _counts(evidence)
    now = progress(evidence, study)
    more = {name: count for name in now.open if (count := looks.after(counts[name])) is not None}
    number = looks.number(max(counts.values()))
    decided = f"Look {number} ({max(counts.values())} seeds): {now.decided} of {now.asked} decided"
    if not more:
        print(f"{decided}.", file=sys.stderr, flush=True)
        return None
    added = sum(count - counts[name] for name, count in more.items())
    return Stage(more, f"{decided}; {added} more runs of {len(more)} variants")


def surely_needed(config: Config, runs: Sequence[StudyRun]) -> dict[str, int]:
    """Return seeds that the next stage adds whatever comes out of runs that aren't finished.

    Of variants against a baseline these are the baseline's, while one comparison wouldn't be
    decided if it stood alone with those that are finished: Holm's correction rejects no more where
    there are more of them. Until intervals are narrow each variant goes by its own first seeds.

    Parameters
    ----------
    config : Config
        Of a study with a rule.
    runs : sequence of StudyRun
        Evaluated, of variants that have all runs of this stage.
    """
    assert config.study is not None
    study, rule = config.study, config.study.stopping()
    assert rule is not None
    names = {run.variant for run in runs}
    if study.until == "narrow":
        return _allowed(_evidence(config, runs, rule), study) if runs else {}
    if study.question != "variants" or study.baseline not in names or len(names) == 1:
        return {}
    from sidebyside.analysis.deciding import progress
    from sidebyside.analysis.looks import looks_up_to

    if not progress(evidence := _evidence(config, runs, rule), study).open:
        return {}
    after = looks_up_to(study.max_seeds).after(_counts(evidence)[study.baseline])
    return {} if after is None else {study.baseline: after}


def _wide(evidence: Evidence, study: Study) -> Stage | None:
    assert study.halfwidth is not None
    width = f"{study.halfwidth:g} {study.judged_by.unit_apart}".rstrip()
    counts, needed, allowed = _counts(evidence), _needed(evidence, study), _allowed(evidence, study)
    more = {name: count for name, count in allowed.items() if count > counts[name]}
    if not more:
        return None
    added = sum(count - counts[name] for name, count in more.items())
    short = sum(needed[name] > study.max_seeds for name in needed)
    cut = f", {short} cut short at study.max_seeds={study.max_seeds}" if short else ""
    seconds = added * _seconds_a_run(evidence.runs)
    return Stage(
        more,
        f"Intervals of +-{width} take up to {max(needed.values())} seeds{cut}; "
        f"{added} more runs of {len(more)} variants, {seconds / 60:.0f} minutes of one worker",
    )


def _allowed(evidence: Evidence, study: Study) -> dict[str, int]:
    """Return how many seeds each variant may have of those that it needs."""
    return {name: min(n, study.max_seeds) for name, n in _needed(evidence, study).items()}


def _needed(evidence: Evidence, study: Study) -> dict[str, int]:
    """Return how many seeds an interval of each variant takes to be narrow."""
    from sidebyside.analysis.tables import replicates_of
    from sidebyside.analysis.two_stages import FIRST, seeds_needed

    assert study.halfwidth is not None
    needed = {}
    for name, replicate in replicates_of(evidence).items():
        first = [replicate.values[replicate.seeds.index(seed)] for seed in range(FIRST)]
        needed[name] = seeds_needed(first, study.halfwidth, replicate.rounding)
    return needed


def _counts(evidence: Evidence) -> dict[str, int]:
    counts: dict[str, int] = {}
    for run in evidence.runs:
        counts[run.variant] = counts.get(run.variant, 0) + 1
    return counts


def _seconds_a_run(runs: Sequence[RunEvidence]) -> float:
    timings = [paths.run(run.key) / store.TIMING for run in runs]
    return float(np.mean([read_json(path)["seconds"] for path in timings if path.is_file()] or [0]))


def _evidence(config: Config, runs: Sequence[StudyRun], rule: dict[str, Any]) -> Evidence:
    """Return what statistics need of evaluated runs."""
    from sidebyside.analysis.metrics.judged import refuse_other_metric

    assert config.study is not None
    study, name = config.study, config.study.name
    known = committed(config.dataset.name, name) if any(run.in_evidence for run in runs) else None
    if known:
        refuse_other_metric(known, study)
    by_key = {run.key: run for run in known.runs} if known else {}
    with journal.looking("compare", [run.key for run in runs]):
        target = prepare(config.dataset, config.data_format).read("test_classes")
    nothing = np.zeros((0, 1, 1), np.uint8)
    return Evidence(
        dataset=config.dataset.name,
        study=name,
        runs=[
            replace(by_key[run.key], variant=run.variant, factors=run.factors)
            if run.in_evidence
            else _of_files(run, target, study)
            for run in runs
        ],
        target=target,
        samples=nothing,
        sample_labels=np.zeros(0, np.uint8),
        missing=[],
        ensembles=[],
        gallery_index=np.zeros(0, np.int32),
        gallery=nothing,
        stopping=rule,
        metric=study.judged_by,
    )


def _of_files(run: StudyRun, target: NDArray[np.uint8], study: Study) -> RunEvidence:
    """Return what statistics need of a run that was found whole before."""
    from sidebyside.analysis.metrics.judged import run_evidence

    try:
        stored = store.load(paths.run(run.key), [store.DIGESTS])
        return run_evidence(run, stored, stored_evaluation(run.key), target, study)
    except DamagedError as reason:
        raise UserError(
            f"Run {run.key[:12]} ({run}) is damaged: {reason}. Delete {paths.run(run.key)}, and "
            "the same command trains it again."
        ) from None
