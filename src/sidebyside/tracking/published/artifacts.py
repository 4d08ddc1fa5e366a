"""The files that MLflow's UI shows of a run besides its figures."""

import csv
from pathlib import Path

import yaml

from sidebyside.report.pictures.runs import draw_confusion
from sidebyside.storage.evaluations import Evaluation
from sidebyside.storage.store import Run
from sidebyside.tracking.published.contents import Card, epoch_line


def write_artifacts(folder: Path, card: Card, run: Run, evaluation: Evaluation | None) -> None:
    """Write the artifacts of a finished run to a folder."""
    name, epochs = card.name.replace(",", ", "), run.recipe.epochs
    (folder / "config.yaml").write_text(yaml.safe_dump(run.recipe.as_json(), sort_keys=False))
    (folder / "model_summary.txt").write_text((run.folder / "summary.txt").read_text())
    lines = [
        epoch_line(epoch, epochs, {name: values[epoch - 1] for name, values in run.history.items()})
        for epoch in range(1, len(run.history["loss"]) + 1)
    ]
    (folder / "epochs.log").write_text("\n".join(lines) + "\n")
    if evaluation:
        title = f"{name}: {evaluation.test_error:.2f} % test error"
        errors = evaluation.error_per_class
        rows = zip(card.class_names or range(len(errors)), errors, strict=True)
        with (folder / "errors_per_class.csv").open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([("class", "test_error"), *rows])
        picture = folder / "confusion_matrix.png"
        draw_confusion(evaluation.confusion, title, picture, card.class_names)
