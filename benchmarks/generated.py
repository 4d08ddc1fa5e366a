"""Studies that nobody trained: what their runs leave, with what real runs share.

A run gets an image right if its skill is above the image's difficulty, and all of it is noisy: the
skill is its variant's plus its seed's, and what is drawn for seed and image is common to all
variants (in the committed factorial runs of one seed correlate by 0.5), what is drawn for run and
image is its own. A wrong image is taken for the same class by most runs.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from sidebyside.storage.evidence import Ensemble, Evidence, RunEvidence

ROOT = Path(__file__).resolve().parents[1]
DATASET = "scaling"
SEEDS = 5
IMAGES = 10_000  # that test
CLASSES = 10
_TRAINING = 2_000  # images
_SKILL = 2.2  # of an average run: an error of about 2 %
_EFFECT, _OF_VARIANT, _OF_SEED, _OF_SEED_AND_IMAGE, _OF_RUN_AND_IMAGE = 0.05, 0.03, 0.03, 0.25, 0.25
FACTORS: dict[int, dict[str, list[Any]]] = {}  # by the number of variants
FACTORS[20] = {
    "optimizer.learning_rate": [0.0005, 0.001, 0.002, 0.004, 0.008],
    "training.batch_size": [32, 64, 128, 256],
}
FACTORS[60] = FACTORS[20] | {"training.label_smoothing": [0, 0.05, 0.1]}
FACTORS[200] = FACTORS[20] | {
    "training.label_smoothing": [0, 0.05, 0.1, 0.15, 0.2],
    "model.kernel_size": [3, 5],
}
FACTORS[2000] = FACTORS[200] | {
    "optimizer": ["adam", "adamw", "rmsprop", "sgd", "adadelta"],
    "model.dropout": [True, False],
}


def study_name(variants: int) -> str:
    """Return what the study with so many variants is called."""
    return f"scaling{variants}"


class Images:
    """The images that test the runs: their classes, how difficult they are, what for."""

    def __init__(self, count: int, chance: np.random.Generator) -> None:
        self.count = count
        self.target = chance.integers(0, CLASSES, count).astype(np.uint8)
        self.difficulty = chance.standard_normal(count, np.float32)
        self.other = ((self.target + chance.integers(1, CLASSES, count)) % CLASSES).astype(np.uint8)


class Drawn:
    """What runs are like, the same for the same arguments."""

    def __init__(self, factors: Sequence[Mapping[str, Any]], images: int = IMAGES) -> None:
        self._chance = np.random.default_rng(images)
        self.images = Images(images, self._chance)
        self._effects = {
            (name, level): _EFFECT * self._chance.standard_normal()
            for own in factors
            for name, level in own.items()
        }
        self._shared: dict[int, tuple[float, NDArray[np.float32]]] = {}

    def skill(self, factors: Mapping[str, Any]) -> float:
        """Return a variant's skill."""
        return float(
            _SKILL
            + sum(self._effects[name, level] for name, level in factors.items())
            + _OF_VARIANT * self._chance.standard_normal()
        )

    def probabilities(self, skill: float, seed: int) -> NDArray[np.float32]:
        """Return those of a run, shape (images, classes)."""
        images, chance = self.images, self._chance
        if seed not in self._shared:
            noise = _OF_SEED_AND_IMAGE * chance.standard_normal(images.count, np.float32)
            self._shared[seed] = _OF_SEED * chance.standard_normal(), noise
        of_seed, shared = self._shared[seed]
        own = _OF_RUN_AND_IMAGE * chance.standard_normal(images.count, np.float32)
        right = 1 / (1 + np.exp(-3 * (skill + of_seed - images.difficulty + shared + own)))
        every = np.arange(images.count)
        found = np.repeat((0.1 * (1 - right) / (CLASSES - 2))[:, None], CLASSES, axis=1)
        found[every, images.target] = right
        found[every, images.other] = 0.9 * (1 - right)
        return found.astype(np.float32)


def history(error: float) -> dict[str, list[float]]:
    """Return the figures of two epochs of a run with this test error, percent."""
    wrong = error / 100
    return {
        "loss": [0.4, 3.5 * wrong],
        "accuracy": [0.9, 1 - 0.9 * wrong],
        "val_loss": [0.3, 3.6 * wrong],
        "val_accuracy": [0.92, 1 - wrong],
    }


def evidence(
    factors: Mapping[str, Sequence[Any]], seeds: int = SEEDS, images: int = 1_000
) -> Evidence:
    """Return a study that is in memory alone: each combination of the factors' levels."""
    levels = [dict(own) for own in _product(factors)]
    drawn = Drawn(levels, images)
    runs, ensembles = [], []
    for own in levels:
        skill, name, members = drawn.skill(own), _name(own), []
        for seed in range(seeds):
            members.append(drawn.probabilities(skill, seed))
            runs.append(_run(name, own, seed, members[-1], drawn.images))
        together = np.mean(members, axis=0).argmax(axis=1).astype(np.uint8)
        keys = tuple(run.key for run in runs[-seeds:])
        ensembles.append(Ensemble(name, keys, together))
    return Evidence(
        dataset=DATASET,
        study="generated",
        runs=runs,
        target=drawn.images.target,
        samples=np.zeros((40, 28, 28), np.uint8),
        sample_labels=np.zeros(40, np.uint8),
        missing=[],
        ensembles=ensembles,
        gallery_index=np.arange(2, dtype=np.int32),
        gallery=np.zeros((2, 28, 28), np.uint8),
    )


def _product(factors: Mapping[str, Sequence[Any]]) -> Iterator[list[tuple[str, Any]]]:
    from itertools import product

    for levels in product(*factors.values()):
        yield list(zip(factors, levels, strict=True))


def _name(factors: Mapping[str, Any]) -> str:
    from sidebyside.config.factors import variant_name

    return variant_name(factors)


def _run(
    name: str, factors: dict[str, Any], seed: int, found: NDArray[np.float32], images: Images
) -> RunEvidence:
    predicted = found.argmax(axis=1).astype(np.uint8)
    error = 100 * float((predicted != images.target).mean())
    key = hashlib.sha256(f"{name} {seed}".encode()).hexdigest()
    recipe = {"dataset": DATASET, "protocol": "clean", "seed": seed, "model": None} | factors
    return RunEvidence(
        key=key,
        variant=name,
        factors=factors,
        seed=seed,
        identity={"recipe": recipe},
        parameters=1_000,
        weights_digest=key,
        history=history(error),
        test_loss=round(0.03 * error, 6),
        layout=None,
        predicted=predicted,
        certainty=found[np.arange(images.count), images.target].astype(np.float16),
    )


@dataclass(frozen=True)
class Place:
    """A folder that is a project and its home, with a dataset and studies of it."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment of what works there."""
        own = {"MLFLOW_TRACKING_URI", "SIDEBYSIDE_MIRROR", "SIDEBYSIDE_RETRAIN", "DVC_ROOT"}
        named = {"SIDEBYSIDE_ROOT": str(self.folder), "SIDEBYSIDE_HOME": str(self.folder)}
        return {name: value for name, value in os.environ.items() if name not in own} | named

    def make(self) -> None:
        """Copy the configs, and write dataset and studies."""
        for name in ("conf", "pipelines"):
            shutil.copytree(ROOT / name, self.folder / name)
        for name in ("params.yaml", "dvc.yaml", ".dvcignore", ".gitignore"):
            shutil.copy(ROOT / name, self.folder / name)
        self._write_dataset()
        for variants, factors in FACTORS.items():
            params = {key: ",".join(map(json.dumps, own)) for key, own in factors.items()}
            params = {key: own.replace('"', "") for key, own in params.items()}
            content = {
                "study": {"name": study_name(variants), "baseline": None, "pairs": []},
                "hydra": {"sweeper": {"params": params | {"seed": f"range(0,{SEEDS})"}}},
            }
            path = self.folder / "conf" / "study" / f"{study_name(variants)}.yaml"
            path.write_text("# @package _global_\n" + yaml.safe_dump(content, sort_keys=False))

    def _write_dataset(self) -> None:
        chance = np.random.default_rng(0)
        images = Images(IMAGES, np.random.default_rng(IMAGES))
        pixels = {
            part: chance.integers(0, 256, (count, 28, 28)).astype(np.uint8)
            for part, count in (("train", _TRAINING), ("test", IMAGES))
        }
        path = self.folder / "data" / "raw" / DATASET / "scaling.npz"
        path.parent.mkdir(parents=True)
        labels = (np.arange(_TRAINING) % CLASSES).astype(np.uint8)
        np.savez(
            path,
            x_train=pixels["train"],
            y_train=labels,
            x_test=pixels["test"],
            y_test=images.target,
        )
        archive = {
            "name": path.name,
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        content = {
            "name": DATASET,
            "format": "npz",
            "image_shape": [28, 28],
            "classes": CLASSES,
            "training_images": _TRAINING,
            "normalisation": "scale",
            "files": {"archive": archive},
            "sources": ["https://example.org/scaling"],
        }
        (self.folder / "conf" / "dataset" / f"{DATASET}.yaml").write_text(yaml.safe_dump(content))


def write_runs(variants: int) -> None:
    """Write what all runs of a study leave, to the run store and to ``results/``.

    In a process whose environment is that of a `Place`. Weights are stand-ins of a few bytes: 48 GB
    of real ones would say nothing more, as no step here reads them.
    """
    from sidebyside import paths
    from sidebyside.config.compose import compose_grid
    from sidebyside.execution.planned import Planned
    from sidebyside.files import write_json

    study = study_name(variants)
    planned = Planned()
    jobs = planned.add(compose_grid([f"study={study}", f"dataset={DATASET}"]))
    drawn = Drawn([job.run.factors for job in jobs])
    skills: dict[str, float] = {}
    folders = {name: paths.results(DATASET, study, name) for name in ("train", "evaluate")}
    for job in jobs:
        if job.run.variant not in skills:
            skills[job.run.variant] = drawn.skill(job.run.factors)
        found = drawn.probabilities(skills[job.run.variant], job.run.seed)
        if not paths.run(job.run.key).is_dir():  # else a smaller study has it too
            _write_run(job, found, drawn.images)
        for name, folder in folders.items():
            _link(paths.run(job.run.key), folder / job.run.key, evaluated=name == "evaluate")
    listed = {"dataset": DATASET, "study": study, "runs": [asdict(job.run) for job in jobs]}
    write_json(folders["train"] / "study.json", listed | {"missing": [], "stopping": None})


def _write_run(job: Any, found: NDArray[np.float32], images: Images) -> None:
    """Write a run to the run store, as training and evaluating it do."""
    from sidebyside import paths
    from sidebyside.data.arrays import open_arrays
    from sidebyside.execution.evaluate import basis_of
    from sidebyside.storage.store import load

    folder = paths.run(job.run.key)
    (folder / "evaluation").mkdir(parents=True)
    predicted = found.argmax(axis=1).astype(np.uint8)
    error = 100 * float((predicted != images.target).mean())
    digest = hashlib.sha256(f"weights of {job.run.key}".encode()).hexdigest()
    files = {
        "digests.json": json.dumps([digest, digest]),
        "history.json": json.dumps(history(error)),
        "model.json": json.dumps({"stand-in": job.run.variant}),
        "model.weights.h5": f"stand-in for {digest}",
    }
    for name, content in files.items():
        (folder / name).write_text(content)
    card = {
        "key": job.run.key,
        "parameters": 1_199_882,
        "weights_digest": digest,
        "files": {n: hashlib.sha256(own.encode()).hexdigest() for n, own in files.items()},
        "identity": job.identity,
    }
    (folder / "run.json").write_text(json.dumps(card))
    arrays = open_arrays(paths.processed(DATASET, job.config.data_format))
    assert arrays is not None
    digests = {}
    for name, array in (("probabilities", found), ("predicted", predicted)):
        path = folder / "evaluation" / f"{name}.npy"
        np.save(path, array)
        digests[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    figures = {
        "key": job.run.key,
        "basis": basis_of(load(folder), arrays),
        "test_error": round(error, 6),
        "test_loss": round(0.03 * error, 6),
        "error_per_class": [error] * CLASSES,
        "confusion": np.zeros((CLASSES, CLASSES), int).tolist(),
        "layout": None,
        "files": digests,
    }
    (folder / "evaluation" / "evaluation.json").write_text(json.dumps(figures))


def _link(run: Path, place: Path, evaluated: bool) -> None:
    """Put a run's files in the results too; as links, since nothing here writes to them."""
    place.mkdir(parents=True)
    source = run / "evaluation" if evaluated else run
    for path in source.iterdir():
        if path.is_file():
            os.link(path, place / path.name)
