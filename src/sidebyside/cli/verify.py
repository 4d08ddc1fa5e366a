"""``sidebyside verify``: a command for each thing that it can show."""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

import click

from sidebyside.cli.selection import SeveralValues, json_option, selected, study_options
from sidebyside.cli.tables import print_table
from sidebyside.config.compose import compose_config
from sidebyside.config.validate import check, check_study
from sidebyside.verify.outcome import MEANING, Finding, Outcome

if TYPE_CHECKING:
    from sidebyside.analysis.published.recipes import JudgedReading
    from sidebyside.config.metrics import Metric
    from sidebyside.config.schema import Config, Study
    from sidebyside.report.text.scale import Scale
    from sidebyside.verify.bits import Verdict
    from sidebyside.verify.claims import ClaimVerdict
    from sidebyside.verify.committed import Report

Kind = TypeVar("Kind", bound=Finding)

_COUNT = 3  # runs to train again
_SOURCES = 3  # that are named each


class _InOrder(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.commands)


@click.group(
    "verify",
    cls=_InOrder,
    invoke_without_command=True,
    short_help="Show that what a study found comes out again, from its bits to its claims.",
)
@click.pass_context
def command(context: click.Context) -> None:
    """Show that what a study found comes out again: five commands, each of something else.

    The exit code is 1 if something speaks against what a command shows, else 0. A claim or figure
    on which too few runs can't tell is printed, but speaks against nothing. Each command of one
    study also says whether runs of it were begun after a look at the test set.
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


def _retraining(shows: Literal["bits", "predictions"]) -> None:
    """Add a command that trains runs again."""

    @command.command(shows, cls=SeveralValues, short_help=MEANING[shows], help=MEANING[shows])
    @study_options
    @click.option("--all", "every", is_flag=True, help="every run of the study")
    @click.option(
        "--runs", "keys", multiple=True, metavar="KEY...", help="these, by the start of their keys"
    )
    @click.option(
        "--count", type=click.IntRange(min=1), help=f"so many by chance; default: {_COUNT}"
    )
    @click.option("--threads", type=click.IntRange(min=1), help="per run, instead of its own")
    @json_option
    def retrain(
        study: str | None,
        dataset: str | None,
        every: bool,
        keys: tuple[str, ...],
        count: int | None,
        threads: int | None,
        as_json: bool,
    ) -> None:
        from sidebyside.verify.bits import Chosen, verify_runs

        if every + bool(keys) + (count is not None) > 1:
            raise click.UsageError("Only one of --all, --runs and --count can be given")
        study, dataset = selected(study, dataset)
        chosen = Chosen(keys or None, None if every else count or _COUNT, threads)
        _tell(verify_runs(shows, study, _base(dataset), chosen), as_json, _print_runs)


_retraining("bits")
_retraining("predictions")


@command.command("claims", short_help=MEANING["claims"], help=MEANING["claims"])
@study_options
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    metavar="N",
    help="fresh runs of each variant; default: as many as the study has",
)
@json_option
def _claims(study: str | None, dataset: str | None, seeds: int | None, as_json: bool) -> None:
    from sidebyside.verify.claims import verify_claims

    study, dataset = selected(study, dataset)
    judged = _study(study)
    outcome = verify_claims(judged, _base(dataset), seeds)
    _tell(outcome, as_json, partial(_print_claims, judged.judged_by))


@command.command(
    "published",
    short_help=MEANING["published"],
    help=f"{MEANING['published']} Without --study and --dataset: study=published on mnist.",
)
@study_options
@json_option
def _published(study: str | None, dataset: str | None, as_json: bool) -> None:
    from sidebyside.verify.published import verify_published

    outcome = verify_published(_study(study or "published"), _base(dataset or "mnist"))
    _tell(outcome, as_json, _print_published)


@command.command("committed", short_help=MEANING["committed"], help=MEANING["committed"])
@click.option(
    "--count",
    type=click.IntRange(min=0),
    default=_COUNT,
    show_default=True,
    help="train a run again of so many studies; 0: of none",
)
@json_option
def _committed(count: int, as_json: bool) -> None:
    from sidebyside.verify.committed import verify_committed

    _tell(verify_committed(count), as_json, _print_reports)


def _base(dataset: str) -> "Config":
    return check(compose_config([f"dataset={dataset}"]))


def _study(name: str) -> "Study":
    return check_study(compose_config([f"study={name}"]))


def _tell(
    outcome: Outcome[Kind], as_json: bool, print_findings: Callable[[Sequence[Kind]], None]
) -> None:
    """Print an outcome, and end with 1 where something speaks against what was to be shown."""
    if as_json:
        print(json.dumps(outcome.as_json(), indent=2))
    else:
        print(MEANING[outcome.check])
        if outcome.findings:
            print_findings(outcome.findings)
        looks = outcome.looks.sentences if outcome.looks else []
        for sentence in [outcome.summary, *looks]:
            print(sentence)
    if not outcome.passed:
        raise SystemExit(1)


def _print_runs(verdicts: Sequence["Verdict"]) -> None:
    rows = [
        {
            "run": verdict.key[:12],
            "variant and seed": verdict.run,
            "bits": "the same" if verdict.same_bits else _unlike(verdict),
            "predictions": _predictions(verdict),
        }
        for verdict in verdicts
    ]
    print_table("Trained again", rows)
    _print_differing(verdicts)


def _print_differing(verdicts: Iterable["Verdict"]) -> None:
    """Print why runs aren't as they were."""
    for verdict in verdicts:
        run = f"Run {verdict.key[:12]}"
        if verdict.damaged:
            print(f"{run} is damaged: {verdict.damaged}.")
        elif not verdict.same_bits:
            since = f"from epoch {verdict.first_epoch} on" if verdict.by_epoch else "at its end"
            print(f"{run} differs {since}. Changed: {_why(verdict.changed)}.")
        elif verdict.flips:
            print(
                f"{run} has the same weights, and of its predictions {verdict.flips} aren't those "
                f"that are kept. Changed: {_why(verdict.changed)}."
            )


def _why(changed: Sequence[str]) -> str:
    """Return what has changed, of many sources only how many."""
    sources = [phrase for phrase in changed if phrase.startswith("sources.")]
    if len(sources) > _SOURCES:
        rest = [phrase for phrase in changed if phrase not in sources]
        changed = [f"{len(sources)} files of the code that trains", *rest]
    return "; ".join(changed) or "nothing that is recorded: it was tampered with"


def _unlike(verdict: "Verdict") -> str:
    if verdict.damaged:
        return "damaged"
    return f"differ from epoch {verdict.first_epoch}" if verdict.by_epoch else "differ at the end"


def _predictions(verdict: "Verdict") -> str:
    if verdict.damaged:
        return "-"
    churn = "" if verdict.churn is None else f" (two seeds: up to {verdict.churn})"
    return f"{verdict.flips} flips{churn}"


def _print_claims(metric: "Metric", verdicts: Sequence["ClaimVerdict"]) -> None:
    from sidebyside.report.text.numbers import p_value
    from sidebyside.report.text.scale import Scale

    scale = Scale(metric)

    rows = [
        {
            "claim": verdict.claim.text,
            "n seeds": str(verdict.n),
            scale.apart_column("by fresh runs, over seeds"): _difference(verdict, scale),
            "p": p_value(verdict.p_holm),
            "verdict": verdict.verdict,
        }
        for verdict in verdicts
    ]
    print_table("Claims, tested on fresh runs alone", rows)


def _difference(verdict: "ClaimVerdict", scale: "Scale") -> str:
    difference, low, high = verdict.claim.turned(verdict.difference, verdict.low, verdict.high)
    return scale.signed(difference) + scale.interval(low, high)


def _print_published(readings: Sequence["JudgedReading"]) -> None:
    from sidebyside.report.text.published import verdict_row

    rows = [verdict_row(reading) for reading in readings]
    print_table("Published test errors", rows)


def _print_reports(reports: Sequence["Report"]) -> None:
    for report in reports:
        wrong = "; ".join(report.wrong)
        line = f"{report.name}: {wrong or f'{report.files} files, byte for byte'}"
        if report.retrained is not None:
            bits = "the same bits" if report.retrained.same_bits else "other bits"
            predictions = _predictions(report.retrained)
            line += f"; {report.retrained.run} trained again: {bits}, {predictions}"
        print(line)
    _print_differing(report.retrained for report in reports if report.retrained is not None)
