"""What a launch prints when it ends."""

from collections.abc import Mapping, Sequence

import pandas as pd
from rich.console import Console
from rich.table import Table

from sidebyside import paths
from sidebyside.analysis.pairs import Pair
from sidebyside.analysis.published import JudgedReading
from sidebyside.config.factors import level_text
from sidebyside.config.summary import SummaryRow
from sidebyside.execution.evaluate import stored_evaluation
from sidebyside.inference.predict import Prediction
from sidebyside.redaction import without_passwords
from sidebyside.report.markdown import pair_rows
from sidebyside.report.published_text import verdict_row
from sidebyside.report.statements import of_pair
from sidebyside.report.text import p_value, signed, signed_interval
from sidebyside.storage.results import StudyRun
from sidebyside.storage.store import load
from sidebyside.verify.bits import Verdict
from sidebyside.verify.claims import ClaimVerdict
from sidebyside.verify.outcome import MEANING, Outcome

_MOST_ROWS = 64  # more runs than this are shown by variant alone


def print_side_by_side(runs: Sequence[StudyRun]) -> None:
    """Print the runs and their variants, the lowest test error first."""
    if not runs:
        return
    table = _by_run(runs)
    factors = list(runs[0].factors)
    if "protocol" not in factors:
        if table["protocol"].nunique() > 1:
            factors.append("protocol")  # whoever compares the rows has to know
        else:
            table = table.drop(columns="protocol")
    if len(table) <= _MOST_ROWS:
        _print("Runs by test error", table.drop(columns="variant"))
    if table["seed"].nunique() > 1 and factors:
        grouped = table.groupby([*factors, "variant"], sort=False)
        by_variant = grouped.agg(
            n=("seed", "size"),
            test_error=("test error %", "mean"),
            sd=("test error %", "std"),
            test_loss=("test loss", "mean"),
        ).reset_index()
        named = {"test_error": "mean test error %", "test_loss": "mean test loss"}
        by_variant = by_variant.drop(columns="variant").rename(columns=named)
        _print("Variants by mean test error", by_variant.sort_values("mean test error %"))


def print_failures(runs: Sequence[StudyRun], failures: Mapping[str, BaseException]) -> None:
    """Print which runs failed and why."""
    table = pd.DataFrame(
        [
            {
                "run": run.key[:12],
                "variant": run.variant,
                "seed": run.seed,
                "reason": _reason(failures[run.key]),
            }
            for run in runs
        ]
    )
    _print(f"{len(runs)} runs failed", table)
    print("The others are finished and kept; the same command again does what is missing.")


def print_summary(title: str, rows: Sequence[SummaryRow]) -> None:
    """Print a network's layers with shapes, parameters and their formulas, and the totals."""
    table = pd.DataFrame(
        [
            {
                "layer": row.name,
                "type": row.kind,
                "output shape": str(row.shape),
                "from": row.shape_formula,
                "parameters": f"{row.parameters:,}",
                "by": row.parameters_formula,
            }
            for row in rows
        ]
    )
    _print(title, table)
    total, trainable = sum(row.parameters for row in rows), sum(row.trainable for row in rows)
    print(f"Total parameters: {total:,}")
    print(f"Trainable: {trainable:,}, others: {total - trainable:,}")


def print_predictions(model: str, predictions: Sequence[Prediction]) -> None:
    """Print what a network takes images for, and their targets where known."""
    table = pd.DataFrame(
        [
            {
                "image": one.image,
                "digit": str(one.digit),
                "probability": f"{one.probability:.4f}",
                "target": "-" if one.target is None else str(one.target),
                "what was done to it": "; ".join(one.changes) or "-",
            }
            for one in predictions
        ]
    )
    if all(one.target is None for one in predictions):
        table = table.drop(columns="target")
    _print(f"Predicted by {model}", table)


def print_pairs(pairs: Sequence[Pair]) -> None:
    """Print pairs of variants or runs, and what is found in sentences."""
    rows = pair_rows([pair.as_json() for pair in pairs])
    _print("Test error, first minus second", pd.DataFrame(rows).replace(r"\*\*", "", regex=True))
    for pair in pairs:
        print(f"{of_pair(pair.as_json())}.")
        if pair.mcnemar_p is not None:
            print(f"One network against one: McNemar's p over images is {pair.mcnemar_p:.2g}.")


def print_outcome(outcome: Outcome) -> None:
    """Print what came out on a rung of ``sidebyside verify``, and what it means."""
    print(MEANING[outcome.rung])
    if runs := [one for one in outcome.found if isinstance(one, Verdict)]:
        _print_verdicts(runs)
    if claims := [one for one in outcome.found if isinstance(one, ClaimVerdict)]:
        _print_claims(claims)
    if readings := [one for one in outcome.found if isinstance(one, JudgedReading)]:
        rows = pd.DataFrame([verdict_row(one) for one in readings])
        _print("Published test errors", rows.replace(r"\*\*|`", "", regex=True))
    for sentence in [outcome.summary, *outcome.looks.sentences]:
        print(sentence)


def _print_claims(verdicts: Sequence[ClaimVerdict]) -> None:
    rows = []
    for one in verdicts:
        difference, low, high = one.claim.turned(one.difference, one.low, one.high)
        shown = "-" if difference is None else signed(difference) + signed_interval(low, high)
        rows.append(
            {
                "claim": one.claim.text,
                "n seeds": str(one.n),
                "by fresh runs, points": shown,
                "p": p_value(one.p_holm),
                "verdict": one.verdict,
            }
        )
    _print("Claims, tested on fresh runs alone", pd.DataFrame(rows))


def _print_verdicts(verdicts: Sequence[Verdict]) -> None:
    """Print which runs came out the same, and what differs of those that didn't."""
    rows = [
        {
            "run": one.key[:12],
            "variant and seed": one.run,
            "bits": "the same" if one.same_bits else _unlike(one),
            "predictions": _predictions(one),
        }
        for one in verdicts
    ]
    _print("Trained again", pd.DataFrame(rows))
    for one in verdicts:
        if one.damaged:
            print(f"Run {one.key[:12]} is damaged: {one.damaged}.")
        elif not one.same_bits:
            why = "; ".join(one.changed) or "nothing that is recorded: the run was tampered with"
            print(f"Run {one.key[:12]} differs from epoch {one.first_epoch} on. Changed: {why}.")


def _unlike(verdict: Verdict) -> str:
    return "damaged" if verdict.damaged else f"differ from epoch {verdict.first_epoch}"


def _predictions(verdict: Verdict) -> str:
    if verdict.damaged:
        return "-"
    churn = "" if verdict.churn is None else f" (two seeds: up to {verdict.churn})"
    return f"{verdict.flips} flips{churn}"


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    name = type(error).__name__
    return f"{name}: {without_passwords(lines[0])}" if lines else name


def _by_run(runs: Sequence[StudyRun]) -> pd.DataFrame:
    rows = []
    for run in runs:
        evaluation, trained = stored_evaluation(run.key), load(paths.run(run.key))
        rows.append(
            {"protocol": trained.recipe["protocol"]}
            | {name: level_text(level) for name, level in run.factors.items()}
            | {
                "variant": run.variant,
                "seed": run.seed,
                "test error %": evaluation.test_error,
                "test loss": evaluation.test_loss,
                "parameters": trained.parameters,
                "run": run.key[:12],
            }
        )
    return pd.DataFrame(rows).sort_values(["test error %", "test loss"])


def _print(title: str, frame: pd.DataFrame) -> None:
    table = Table(title=title, title_justify="left")
    for column in frame.columns:
        numeric = pd.api.types.is_numeric_dtype(frame[column])
        table.add_column(str(column), justify="right" if numeric else "left")
    for row in frame.itertuples(index=False):
        table.add_row(*(_cell(name, value) for name, value in zip(frame.columns, row, strict=True)))
    # A log has no width: there, rather long lines than cut columns.
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    console.print(table)


def _cell(column: str, value: object) -> str:
    if isinstance(value, float):
        if pd.isna(value):
            return "-"
        return f"{value:.4f}" if "loss" in column else f"{value:.2f}"
    return str(value)
