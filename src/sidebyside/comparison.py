"""Compare the variants of a study."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from sidebyside import locations, pictures
from sidebyside.arrays import open_arrays
from sidebyside.errors import UserError
from sidebyside.evaluation import Evaluation, load_evaluation
from sidebyside.factors import level_text
from sidebyside.files import write_json
from sidebyside.results import StudyResults, StudyRun, read_train_results
from sidebyside.schema import DATA_FORMATS, Dataset
from sidebyside.store import DamagedError, Run

_CONFIDENCE = 0.95
_SAMPLES = (4, 10)  # rows and columns of the grid of digits


@dataclass(frozen=True)
class Comparison:
    """The report of a study.

    Attributes
    ----------
    folder : pathlib.Path
        Where it is.
    runs : pandas.DataFrame
        A row per run: key, variant, the factors, seed, test_error (percent), test_loss, ...
    variants : list of dict
        As in ``comparison.json``: n, test_error and test_loss with mean, sd, low and high.
    """

    folder: Path
    runs: pd.DataFrame
    variants: list[dict[str, Any]]


@dataclass(frozen=True)
class _Entry:
    """A run of the study with its evaluation."""

    run: StudyRun
    trained: Run
    evaluation: Evaluation


def compare(dataset: Dataset, study: str) -> Comparison:
    """Write the report of a study to ``reports/<dataset>/<study>/``.

    ``comparison.json``, ``metrics.json``, ``comparison.md``, ``runs.csv``, ``evidence.npz``,
    ``costs.json`` and pictures, all made from what the train and evaluate stages left.

    Raises
    ------
    UserError
        If those results are missing or damaged.
    """
    results = read_train_results(dataset.name, study)
    entries = _entries(results)
    runs = _run_table(entries)
    variants = _variants(runs, entries)
    folder = locations.reports(dataset.name, study)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "comparison.json", _comparison(results, variants, entries))
    write_json(folder / "metrics.json", _metrics(variants))
    (folder / "comparison.md").write_text(_markdown(results, variants))
    runs.to_csv(folder / "runs.csv", index=False, float_format="%.6f")
    _write_evidence(folder / "evidence.npz", entries, dataset)
    _write_costs(folder / "costs.json", entries)
    _draw(folder, results, runs, variants, entries, dataset)
    return Comparison(folder, runs, variants)


def interval(values: Sequence[float]) -> dict[str, float | None]:
    """Return mean, standard deviation and a 95 % confidence interval of the mean.

    Student's t with n - 1 degrees of freedom: mean +- t(0.975) * sd / sqrt(n) (Student 1908,
    "The probable error of a mean"). sd, low and high are None for fewer than two values.
    """
    n, mean = len(values), float(np.mean(values))
    if n < 2:
        return {"mean": mean, "sd": None, "low": None, "high": None}
    sd = float(np.std(values, ddof=1))
    half = float(stats.t.ppf((1 + _CONFIDENCE) / 2, n - 1)) * sd / math.sqrt(n)
    return {"mean": mean, "sd": sd, "low": mean - half, "high": mean + half}


def _entries(results: StudyResults) -> list[_Entry]:
    folder = locations.results(results.dataset, results.study, "evaluate")
    try:
        return [
            _Entry(run, results.load(run), load_evaluation(folder / run.key))
            for run in results.runs
        ]
    except DamagedError as reason:
        raise UserError(f"{reason}: delete {folder} and run the evaluate stage again.") from None


def _run_table(entries: Sequence[_Entry]) -> pd.DataFrame:
    rows = []
    for entry in entries:
        run, trained, evaluation = entry.run, entry.trained, entry.evaluation
        levels = {name: level_text(level) for name, level in run.factors.items()}
        figures = {
            "protocol": trained.recipe["protocol"],
            "test_error": evaluation.test_error,
            "test_loss": evaluation.test_loss,
            "parameters": trained.parameters,
        }
        figures |= {name: values[-1] for name, values in trained.history.items()}
        # A factor may be called like a figure or "seed"; what was varied then keeps the column.
        rows.append({"key": run.key, "variant": run.variant, "seed": run.seed} | figures | levels)
    return pd.DataFrame(rows)


def _variants(runs: pd.DataFrame, entries: Sequence[_Entry]) -> list[dict[str, Any]]:
    factors = {entry.run.variant: entry.run.factors for entry in entries}
    return [
        {
            "name": name,
            "factors": factors[str(name)],
            "n": len(replicate),
            "test_error": interval(replicate["test_error"].tolist()),
            "test_loss": interval(replicate["test_loss"].tolist()),
            "parameters": int(replicate["parameters"].iloc[0]),
            "protocol": str(replicate["protocol"].iloc[0]),
        }
        for name, replicate in runs.groupby("variant", sort=False)
    ]


def _comparison(
    results: StudyResults, variants: list[dict[str, Any]], entries: Sequence[_Entry]
) -> dict[str, Any]:
    names = list(entries[0].run.factors)
    levels = {
        name: list(dict.fromkeys(entry.run.factors[name] for entry in entries)) for name in names
    }
    return {
        "dataset": results.dataset,
        "study": results.study,
        "protocol": _protocols(entries),
        "n_runs": len(entries),
        "factors": levels,
        "variants": variants,
    }


def _protocols(entries: Sequence[_Entry]) -> str:
    """Return the protocol of the runs; several are all named."""
    return ", ".join(dict.fromkeys(entry.trained.recipe["protocol"] for entry in entries))


def _metrics(variants: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return what ``dvc metrics`` shows: numbers only, by variant."""
    return {
        variant["name"] or "variant": {
            "test_error": variant["test_error"]["mean"],
            "test_loss": variant["test_loss"]["mean"],
            "n": variant["n"],
        }
        for variant in variants
    }


def _markdown(results: StudyResults, variants: list[dict[str, Any]]) -> str:
    rows = []
    for variant in sorted(variants, key=lambda one: one["test_error"]["mean"]):
        error, loss = variant["test_error"], variant["test_loss"]
        levels = {name: level_text(level) for name, level in variant["factors"].items()}
        spread = "-" if error["low"] is None else f"{error['low']:.2f} to {error['high']:.2f}"
        figures = {
            "n": str(variant["n"]),
            "test error %": f"{error['mean']:.2f}",
            "95 % interval": spread,
            "test loss": f"{loss['mean']:.4f}",
            "parameters": str(variant["parameters"]),
            "protocol": variant["protocol"],
        }
        rows.append(levels | figures)
    header = list(rows[0])
    lines = ["| " + " | ".join(cells) + " |" for cells in [header, ["---"] * len(header)]]
    lines += ["| " + " | ".join(row.values()) + " |" for row in rows]
    return (
        f"# {results.study} on {results.dataset}\n\n"
        f"Made by `python pipelines/compare.py study={results.study} dataset={results.dataset}`. "
        "Test error in percent, mean over n seeds; the interval is "
        "a 95 % confidence interval of that mean over seeds (Student t), on the same test images. "
        "Overlapping intervals of few seeds say little: more seeds (`training.seeds`) narrow "
        "them.\n\n" + "\n".join(lines) + "\n\n"
        "![Test error by variant](errors.png)\n\n![Learning curves](learning_curves.png)\n\n"
        "![Confusion matrix of the best variant](confusion_best.png)\n\n"
        "![Sample digits](samples.png)\n"
    )


def _write_evidence(path: Path, entries: Sequence[_Entry], dataset: Dataset) -> None:
    """Write what every run predicted for every test image, which decides every table."""
    np.savez_compressed(
        path,
        key=np.array([entry.run.key for entry in entries]),
        variant=np.array([entry.run.variant for entry in entries]),
        seed=np.array([entry.run.seed for entry in entries]),
        predicted=np.stack([entry.evaluation.read("predicted") for entry in entries]),
        target=_read(dataset, "test_labels").argmax(axis=1).astype(np.uint8),
        test_loss=np.array([entry.evaluation.test_loss for entry in entries]),
    )


def _write_costs(path: Path, entries: Sequence[_Entry]) -> None:
    """Write training times in seconds; DVC doesn't track them, as they never come out the same."""
    costs = {}
    for entry in entries:
        stored = locations.runs() / entry.run.key
        timed = Run(**{**vars(entry.trained), "folder": stored})
        costs[entry.run.key] = {"variant": entry.run.variant, "seconds": timed.seconds()}
    write_json(path, costs)


def _read(dataset: Dataset, name: str) -> np.ndarray:
    for data_format in DATA_FORMATS:
        folder = locations.processed(dataset.name, data_format)
        if (arrays := open_arrays(folder)) is not None:
            return arrays.read(name)
    raise UserError(f"{dataset.name} isn't preprocessed: run the preprocess stage first.")


def _draw(
    folder: Path,
    results: StudyResults,
    runs: pd.DataFrame,
    variants: list[dict[str, Any]],
    entries: Sequence[_Entry],
    dataset: Dataset,
) -> None:
    what = f"{results.study} on {results.dataset}, protocol {_protocols(entries)}"
    pictures.draw_errors(runs, variants, what, folder / "errors.png")
    pictures.draw_curves(_curves(entries), what, folder / "learning_curves.png")
    best = min(variants, key=lambda variant: variant["test_error"]["mean"])
    of_best = [entry.evaluation for entry in entries if entry.run.variant == best["name"]]
    confusion = np.sum([evaluation.confusion for evaluation in of_best], axis=0)
    title = f"Best variant, {best['n']} runs together: {best['name'].replace(',', ', ')}"
    pictures.draw_confusion(confusion, title, folder / "confusion_best.png")
    images, labels = _read(dataset, "train_images"), _read(dataset, "train_labels")
    rows, columns = _SAMPLES
    count = rows * columns
    pixels = images[:count].reshape(-1, *dataset.image_shape)
    digits = labels[:count].argmax(axis=1)
    pictures.draw_samples(pixels, digits, rows, columns, folder / "samples.png")


def _errors(history: dict[str, list[float]], accuracy: str) -> np.ndarray:
    """Return errors in percent after each epoch, not a number where nothing was measured."""
    missing = [math.nan] * len(history["accuracy"])
    return 100 * (1 - np.array(history.get(accuracy, missing)))


def _curves(entries: Sequence[_Entry]) -> pd.DataFrame:
    frames = []
    for entry in entries:
        history = entry.trained.history
        frames.append(
            pd.DataFrame(
                {
                    "variant": entry.run.variant,
                    "seed": entry.run.seed,
                    "epoch": range(1, len(history["accuracy"]) + 1),
                    "training_error": _errors(history, "accuracy"),
                    "validation_error": _errors(history, "val_accuracy"),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)
