"""Evidence: the one file beside a report from which all of the report can be made again."""

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside import paths
from sidebyside.config.factors import Level
from sidebyside.config.protocols import folds_of
from sidebyside.errors import UserError

FILE = "evidence.npz"
UNTESTED = -1  # stands for the certainty of an image that is in another fold than the run's
_MOST_BYTES = 2**30  # decompressed; a run on 10 000 test images takes 30 kB
_PLAIN = ("key", "variant", "weights_digest", "seed", "parameters", "test_loss")
_JSON = ("factors", "identity", "history", "layout", "digests")  # nested values, as JSON
_IMAGES = ("target", "samples", "sample_labels", "gallery_index", "gallery")


@dataclass(frozen=True)
class RunEvidence:
    """What a report needs to know of one run.

    Attributes
    ----------
    key : str
        The run key.
    variant : str
    factors : dict
        Level of each factor.
    seed : int
    identity : dict
        Everything that decided the result, see `sidebyside.storage.keys.identity`.
    parameters : int
        Number of weights.
    weights_digest : str
        See `sidebyside.engine.training.fit.weights_digest`.
    history : dict of list of float
        Figures after each epoch.
    test_loss : float
        Mean categorical cross-entropy, in nats.
    layout : dict or None
        The network against itself in the other data format, see
        `sidebyside.engine.scoring.layout_check.LayoutCheck`.
    predicted : ndarray of uint8, shape (images,)
        The predicted class of each test image.
    certainty : ndarray of float16, shape (images,)
        The probability that the network gave each image's true class; `UNTESTED` for the images
        that didn't test the run, under cross-validation.
    digests : list of str
        The weights digest after each epoch; none in evidence from before they were kept.
    """

    key: str
    variant: str
    factors: dict[str, Level]
    seed: int
    identity: dict[str, Any]
    parameters: int
    weights_digest: str
    history: dict[str, list[float]]
    test_loss: float
    layout: dict[str, Any] | None
    predicted: NDArray[np.uint8]
    certainty: NDArray[np.float16]
    digests: list[str] = field(default_factory=list)

    @property
    def recipe(self) -> dict[str, Any]:
        """The config that decided the result."""
        recipe: dict[str, Any] = self.identity["recipe"]
        return recipe

    @property
    def protocol(self) -> str:
        """Who saw which images."""
        return str(self.recipe["protocol"])

    @property
    def tested(self) -> NDArray[np.bool_]:
        """Which images tested it: all of them, or those of its fold."""
        return self.certainty != UNTESTED


@dataclass(frozen=True)
class Ensemble:
    """The networks of a variant together: the class with the highest mean probability.

    Attributes
    ----------
    variant : str
    members : int
        How many networks.
    predicted : ndarray of uint8, shape (images,)
    """

    variant: str
    members: int
    predicted: NDArray[np.uint8]


@dataclass(frozen=True)
class Evidence:
    """The runs of a study and the targets of the test images.

    Under cross-validation these are the training images, and each fold of them tests a run.

    Attributes
    ----------
    dataset, study : str
    runs : list of RunEvidence
        In the order of the study's grid.
    target : ndarray of uint8, shape (images,)
    samples : ndarray of uint8, shape (n, height, width)
        The first training images, 255 is white.
    sample_labels : ndarray of uint8, shape (n,)
    missing : list of str
        Runs of the study that aren't finished.
    ensembles : list of Ensemble
        One per variant; evidence finished in pieces keeps those of its larger pieces.
    gallery_index : ndarray of int32, shape (k,)
        The test images that the variants disagree on most.
    gallery : ndarray of uint8, shape (k, height, width)
        Those images, 255 is white.
    stopping : dict or None
        The rule by which seeds were added, see `sidebyside.storage.rules`.
    """

    dataset: str
    study: str
    runs: list[RunEvidence]
    target: NDArray[np.uint8]
    samples: NDArray[np.uint8]
    sample_labels: NDArray[np.uint8]
    missing: list[str]
    ensembles: list[Ensemble]
    gallery_index: NDArray[np.int32]
    gallery: NDArray[np.uint8]
    stopping: dict[str, Any] | None = None

    @property
    def independent(self) -> bool:
        """Whether each variant has seeds of its own, numbered alike but not the same."""
        return any(run.seed != run.recipe.get("seed", run.seed) for run in self.runs)

    @property
    def folds(self) -> int:
        """How many folds the images are in; 1 where all of them test each run."""
        return folds_of(self.runs[0].protocol)

    @property
    def tested(self) -> int:
        """How many images test a run, at least."""
        return len(self.target) // self.folds

    def test_error(self, run: RunEvidence) -> float:
        """Return the wrong predictions of a run, percent of all that it made."""
        return round(100 * float((run.predicted != self.target)[run.tested].mean()), 6)

    def confusion(self, run: RunEvidence) -> NDArray[Any]:
        """Return the number of images by target (row) and predicted class (column)."""
        # As many for all runs, so that their matrices can be added.
        classes = 1 + max(
            int(self.target.max()), *(int(each.predicted.max()) for each in self.runs)
        )
        confusion = np.zeros((classes, classes), int)
        np.add.at(confusion, (self.target[run.tested], run.predicted[run.tested]), 1)
        return confusion

    def of_variant(self, name: str) -> list[RunEvidence]:
        """Return the replicate of a variant."""
        return [run for run in self.runs if run.variant == name]


def committed(dataset: str, study: str) -> Evidence | None:
    """Return the evidence beside a study's report, None where there is none.

    Raises
    ------
    UserError
        If the file can't be read as evidence of this study.
    """
    path = paths.reports(dataset, study) / FILE
    if not path.is_file():
        return None
    evidence = read_evidence(path)
    if (evidence.dataset, evidence.study) != (dataset, study):
        raise UserError(
            f"{path} is evidence of study={evidence.study} on dataset={evidence.dataset}, not of "
            f"study={study} on dataset={dataset}: put the right file there or delete it."
        )
    return evidence


def write_evidence(path: Path, evidence: Evidence) -> None:
    """Write evidence to an NPZ file, the same bytes for the same evidence."""
    runs = evidence.runs
    arrays: dict[str, Any] = {
        name: np.array([getattr(run, name) for run in runs]) for name in _PLAIN
    }
    for name in _JSON:
        if name == "digests" and not any(run.digests for run in runs):
            continue  # evidence from before they were kept stays as it is, byte for byte
        arrays[name] = np.array([json.dumps(getattr(run, name)) for run in runs])
    np.savez_compressed(
        path,
        dataset=np.array(evidence.dataset),
        study=np.array(evidence.study),
        predicted=np.stack([run.predicted for run in runs]),
        certainty=np.stack([run.certainty for run in runs]),
        gallery_index=evidence.gallery_index,
        gallery=evidence.gallery,
        stopping=np.array(json.dumps(evidence.stopping)),
        ensemble=np.array([ensemble.variant for ensemble in evidence.ensembles], dtype=str),
        ensemble_members=np.array(
            [ensemble.members for ensemble in evidence.ensembles], dtype=np.int64
        ),
        ensemble_predicted=np.array(
            [ensemble.predicted for ensemble in evidence.ensembles], dtype=np.uint8
        ),
        target=evidence.target,
        samples=evidence.samples,
        sample_labels=evidence.sample_labels,
        missing=np.array(evidence.missing, dtype=str),
        **arrays,
    )


def read_evidence(path: Path) -> Evidence:
    """Return the evidence in a file that `write_evidence` wrote.

    Raises
    ------
    UserError
        If it isn't such a file.
    """
    try:
        _check_size(path)
        with np.load(path, allow_pickle=False) as stored:
            return _evidence({name: stored[name] for name in stored.files})
    except Exception as error:  # whatever a damaged file makes zipfile, numpy and json raise
        raise UserError(
            f"{path} can't be read as evidence ({type(error).__name__}): restore it with git, or "
            "delete it and run the study again."
        ) from None


def _check_size(path: Path) -> None:
    """Raise a ValueError for a small file that would fill the memory once decompressed."""
    with zipfile.ZipFile(path) as members:
        if sum(member.file_size for member in members.infolist()) > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES >> 20} MiB")


def _evidence(arrays: dict[str, NDArray[Any]]) -> Evidence:
    target, predicted = arrays["target"], arrays["predicted"]
    count = len(arrays["key"])
    if predicted.dtype != np.uint8 or predicted.shape != (count, len(target)) or not count:
        raise ValueError("predictions and targets don't belong together")
    if arrays["certainty"].shape != predicted.shape:
        raise ValueError("predictions and their probabilities don't belong together")
    runs = []
    for number in range(count):
        fields: dict[str, Any] = {name: arrays[name][number].item() for name in _PLAIN}
        nested = [name for name in _JSON if name in arrays]
        fields |= {name: json.loads(str(arrays[name][number])) for name in nested}
        certainty = arrays["certainty"][number]
        runs.append(RunEvidence(predicted=predicted[number], certainty=certainty, **fields))
    stopping = json.loads(str(arrays["stopping"]))
    if stopping and "until" not in stopping:
        raise ValueError("seeds were added by a rule that isn't known any more")
    return Evidence(
        dataset=str(arrays["dataset"]),
        study=str(arrays["study"]),
        runs=runs,
        missing=[str(name) for name in arrays["missing"]],
        ensembles=[
            Ensemble(str(variant), int(members), of_images)
            for variant, members, of_images in zip(
                arrays["ensemble"],
                arrays["ensemble_members"],
                arrays["ensemble_predicted"],
                strict=True,
            )
        ],
        stopping=stopping,
        **{name: arrays[name] for name in _IMAGES},
    )
