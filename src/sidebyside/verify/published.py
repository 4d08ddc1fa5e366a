"""Whether published figures are what runs of their recipes give."""

from sidebyside.analysis.published.holding import hold_against_published
from sidebyside.analysis.published.recipes import JudgedReading
from sidebyside.config.schema import Config, Study
from sidebyside.errors import UserError
from sidebyside.report.gathering import gather
from sidebyside.report.text.published import summary
from sidebyside.storage import journal
from sidebyside.verify.outcome import Outcome
from sidebyside.verify.test_set import looks_at


def verify_published(study: Study, base: Config) -> Outcome[JudgedReading]:
    """Hold published figures against the runs of their recipes, from results or evidence.

    Raises
    ------
    UserError
        If there are neither, or the runs aren't those of published recipes.
    """
    before = journal.entries()
    evidence = gather(base.dataset, study, allow_partial=True)
    published = hold_against_published(evidence)
    if published is None:
        raise UserError(
            f"study={study.name} on dataset={base.dataset.name} holds no runs of published recipes "
            "by their protocols: name study=published, which does."
        )
    return Outcome(
        check="published",
        passed=not published.contradicted,
        summary=summary(published),
        findings=published.judged,
        looks=looks_at(evidence, before),
    )
