"""A study in a tracking store, made up: nothing is trained for it."""

from pathlib import Path

from sidebyside import paths
from sidebyside.config.factors import variant_name
from sidebyside.config.schema import Tracking
from sidebyside.engine.recipe import read_recipe
from sidebyside.storage.evaluations import Evaluation
from sidebyside.storage.results import StudyRun
from sidebyside.storage.store import Run
from sidebyside.tracking.client import Tracker
from sidebyside.tracking.published.contents import Card
from sidebyside.tracking.shown.variants import Variants
from sidebyside.tracking.shown.views import study_views

LABELS = {
    "kernel_size": {"3": "3x3", "5": "5x5"},
    "dropout": {"true": "drop", "false": "nodrop"},
    "data_format": {"channels_last": "last", "channels_first": "first"},
}
TRACKING = Tracking(uri=None, experiment="sidebyside", labels=LABELS)
FACTORS = {"kernel_size": 3, "dropout": True, "optimizer": "adam", "data_format": "channels_last"}


def made_up(
    number: int, factors: dict, seed: int, error: float, **changed: object
) -> tuple[Card, Run, Evaluation]:
    """Return a finished run of the factorial; ``number`` tells it from others.

    ``changed`` are parts of its recipe.
    """
    key = f"{number:064x}"
    folder = paths.runs() / key
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "summary.txt").write_text("a network\n")
    recipe = {
        "dataset": "mnist5k",
        "model": {"name": "conv_pair", "blocks": [{"type": "flatten"}]},
        "optimizer": {"name": "adam", "_target_": "keras.optimizers.Adam", "learning_rate": 0.1},
        "data_format": factors["data_format"],
        "seed": seed,
        "protocol": "clean",
        "epochs": 3,
        "batch_size": 8,
        "threads": 1,
    } | changed
    history = {
        name: [first, first / 2, first / 3]
        for name, first in (
            ("loss", 0.9),
            ("accuracy", 0.6),
            ("val_loss", 1.0),
            ("val_accuracy", 0.5),
        )
    }
    run = Run(
        key, folder, {"recipe": recipe, "arrays": "a" * 64}, 1000, f"weights{number}", history
    )
    confusion = [[9, 1], [0, 10]]
    tested = Evaluation(key, folder, error, error / 100, [error, 0.0], confusion, "b", layout=None)
    study_run = StudyRun(key, variant_name(factors), factors, seed)
    return Card(study_run, read_recipe(recipe), "factorial"), run, tested


def publish_study(
    tracker: Tracker, errors: dict[int, list[float]], first: int = 0, **changed: object
) -> str:
    """Publish runs of the factorial, numbers from ``first`` on, and return the study's id.

    ``errors`` are test errors of seeds by kernel size, ``changed`` parts of the recipe.
    """
    tracker.prepare()
    parent = tracker.open_study("factorial", "mnist5k")
    variants, made = Variants(tracker, parent), []
    for kernel_size, own in errors.items():
        factors = FACTORS | {"kernel_size": kernel_size}
        made += [
            made_up(first + 10 * kernel_size + seed, factors, seed, error, **changed)
            for seed, error in enumerate(own)
        ]
    under = [_under(card, parent) for card, _, _ in made]
    cards = variants.open(under)
    for card, (_, run, tested) in zip(cards, made, strict=True):
        tracker.publish(card, run, tested)
    tested = {run.key: evaluation for _, run, evaluation in made}
    variants.close(cards, tested.keys(), tested.get)
    tracker.finish(parent, "FINISHED")
    tracker.show(study_views("factorial", "mnist5k", list(FACTORS)))
    return parent


def _under(card: Card, parent: str) -> Card:
    return Card(card.run, card.recipe, card.study, parent)


def report_of(project: Path) -> Path:
    """Return the committed report of that study."""
    return project / "reports" / "mnist5k" / "factorial"
