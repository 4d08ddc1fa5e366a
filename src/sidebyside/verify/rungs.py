"""What ``sidebyside verify`` does on each rung."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from sidebyside.config.schema import Config, Study
from sidebyside.errors import UserError
from sidebyside.report.gathering import gather
from sidebyside.storage import journal
from sidebyside.storage.evidence import Evidence
from sidebyside.storage.journal import Entry
from sidebyside.verify.outcome import Outcome
from sidebyside.verify.test_set import Looks, looks


@dataclass(frozen=True)
class Chosen:
    """Which runs the two lower rungs train again.

    Attributes
    ----------
    keys : sequence of str or None
        Those whose keys begin so.
    count : int or None
        Else so many by chance; None is all.
    threads : int or None
        For each run, instead of its own.
    """

    keys: Sequence[str] | None
    count: int | None
    threads: int | None


def verify_runs(rung: str, study: str, base: Config, chosen: Chosen) -> Outcome:
    """Train runs of a study again and hold bits or predictions against the stored ones.

    ``base`` is a config of the study's dataset.

    Raises
    ------
    UserError
        If there are no results, or no such runs.
    """
    from sidebyside.storage.results import read_train_results
    from sidebyside.verify.bits import choose, verify

    results = read_train_results(base.dataset.name, study)
    before = journal.entries()
    count = len(results.trained) if chosen.count is None else chosen.count
    runs = choose(results, chosen.keys, count)
    verdicts = []
    for verdict in verify(results, runs, base, chosen.threads):
        verdicts.append(verdict)
        print(f"{len(verdicts)}/{len(runs)} runs trained again", file=sys.stderr)
    same = sum(getattr(verdict, f"same_{rung}") for verdict in verdicts)
    return Outcome(
        rung=rung,
        passed=same == len(verdicts),
        summary=f"{same} of {len(verdicts)} runs have the same {rung}.",
        found=verdicts,
        looks=looks(base.dataset.name, [one.key for one in results.runs], results.stopping, before),
    )


def verify_claims(study: Study, base: Config, seeds: int | None) -> Outcome:
    """Test the claims of a study's report again on runs with fresh seeds.

    The claims are those of the comparison as it would be made now. A claim that the fresh runs
    neither show nor contradict doesn't count against the report: to show nothing is what too few
    runs do, and with as many runs as the study has, a true claim that was barely shown isn't shown
    again about every other time.

    Parameters
    ----------
    study : Study
    base : Config
        Of the study's dataset.
    seeds : int or None
        Fresh runs of each variant; None is as many as the study has.

    Raises
    ------
    UserError
        If the study has neither results nor evidence, or its variants can't be trained here.
    SystemExit
        With 130 after Ctrl-C or SIGTERM.
    """
    from sidebyside.analysis.analyse import analyse
    from sidebyside.report.claims import claims
    from sidebyside.verify.claims import retest

    before = journal.entries()
    evidence = gather(base.dataset, study.name, allow_partial=True)
    analysis = analyse(evidence, study, base.dataset.disputed)
    claimed = claims(analysis.content, analysis.confounded)
    verdicts = []
    if claimed:
        from sidebyside.verify.fresh_seeds import fresh_jobs, train_fresh, variants_of

        jobs = fresh_jobs(evidence, variants_of(claimed, evidence), seeds, base)
        verdicts = retest(claimed, train_fresh(jobs, evidence), study.margin)
    answers = [verdict.verdict for verdict in verdicts]
    return Outcome(
        rung="claims",
        passed="fails" not in answers,
        summary=_of_claims(answers),
        found=verdicts,
        looks=_looks(evidence, before),
    )


def _of_claims(answers: Sequence[str]) -> str:
    if not answers:
        return "The report claims nothing definite, so there is nothing to test."
    text = f"Of {len(answers)} claims {answers.count('holds')} hold, {answers.count('fails')} fail"
    if open_ones := answers.count("underpowered"):
        text += (
            f"; {open_ones} underpowered: so few fresh runs can't tell, --seeds N takes more of "
            "each variant"
        )
    return f"{text}."


def _looks(evidence: Evidence, before: Sequence[Entry]) -> Looks:
    keys = [run.key for run in evidence.runs]
    return looks(evidence.dataset, keys, evidence.stopping, before)


def verify_published(study: Study, base: Config) -> Outcome:
    """Hold published figures against the runs of their recipes, from results or evidence.

    Raises
    ------
    UserError
        If there are neither, or the runs aren't those of published recipes.
    """
    from sidebyside.analysis.published import hold_against_published
    from sidebyside.report.published_text import summary

    before = journal.entries()
    evidence = gather(base.dataset, study.name, allow_partial=True)
    published = hold_against_published(evidence)
    if published is None:
        raise UserError(
            f"study={study.name} on dataset={base.dataset.name} holds no runs of published recipes "
            "by their protocols: name study=published, which does."
        )
    return Outcome(
        rung="published",
        passed=not published.contradicted,
        summary=summary(published),
        found=published.judged,
        looks=_looks(evidence, before),
    )
