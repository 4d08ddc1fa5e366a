"""The file of evidence beside a report: written the same each time, read with care."""

import json
import struct
import zipfile
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sidebyside import paths
from sidebyside.config.metrics import ERROR, Metric, read_metric
from sidebyside.errors import UserError
from sidebyside.files import written_at_once
from sidebyside.storage.columns import as_bytes, mapped_columns, write_columns
from sidebyside.storage.evidence import Ensemble, Evidence, RunEvidence

FILE = "evidence.npz"
MOST_COMPRESSED = 2_000  # runs; of more, what images tell is stored as it is and mapped when read
_MOST_BYTES = 2**30  # decompressed; a run on 10 000 test images takes 30 kB
_PLAIN = ("key", "variant", "weights_digest", "seed", "parameters", "test_loss")
_JSON = ("factors", "identity", "history", "layout", "digests")  # nested values, as JSON
_IMAGES = ("target", "samples", "sample_labels", "gallery_index", "gallery")


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
    arrays = _arrays_of(evidence)
    if len(evidence.runs) > MOST_COMPRESSED:
        write_columns(path, arrays)
    else:
        with written_at_once(path) as unfinished, unfinished.open("wb") as file:
            _save_compressed(file, arrays)


class _Member(zipfile.ZipInfo):
    """A member of an archive whose header is that of Python 3.11.4 and later in any version.

    Earlier ones left the version that is needed to read it, and the sizes, as if it weren't ZIP64.
    """

    def FileHeader(self, zip64: bool | None = None) -> bytes:  # noqa: N802, zipfile's name
        """Return the header that is written before the member."""
        header = bytearray(super().FileHeader(zip64))
        self.create_version = self.extract_version = 45  # that of ZIP64
        struct.pack_into("<H", header, 4, self.extract_version)
        struct.pack_into("<LL", header, 18, 0xFFFFFFFF, 0xFFFFFFFF)  # see the extra field
        return bytes(header)


def _save_compressed(file: BinaryIO, arrays: dict[str, Any]) -> None:
    """Do what `numpy.savez_compressed` does, to the same bytes in each version of Python."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            member = _Member(f"{name}.npy")
            member.compress_type = archive.compression
            with archive.open(member, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.asanyarray(array), allow_pickle=False)


def _arrays_of(evidence: Evidence) -> dict[str, Any]:
    runs = evidence.runs
    text = np.array if len(runs) <= MOST_COMPRESSED else as_bytes
    arrays: dict[str, Any] = {
        name: np.array([getattr(run, name) for run in runs]) for name in _PLAIN
    }
    for name in _JSON:
        if name == "digests" and not any(run.digests for run in runs):
            continue  # evidence from before they were kept stays as it is, byte for byte
        arrays[name] = text([json.dumps(getattr(run, name)) for run in runs])
    arrays |= _of_metric(evidence)
    if len(evidence.leaked):
        arrays["leaked"] = evidence.leaked
    if any(own.members < len(evidence.of_variant(own.variant)) for own in evidence.ensembles):
        arrays["ensemble_keys"] = text([json.dumps(own.keys) for own in evidence.ensembles])
    return dict(
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


def _of_metric(evidence: Evidence) -> dict[str, Any]:
    """Return what is kept of a metric: nothing of the error, which the predictions tell."""
    runs, arrays = evidence.runs, {}
    if any(run.others for run in runs):
        arrays["others"] = np.array([json.dumps(run.others) for run in runs])
    if evidence.metric == ERROR:
        return arrays
    described = evidence.metric.as_json() | {"margin": evidence.margin}
    return arrays | {
        "metric": np.array(json.dumps(described)),
        "value": np.array([run.value for run in runs]),
        "scores": np.stack([evidence.scores(run) for run in runs]),
        "ensemble_scores": np.array([evidence.scores(own) for own in evidence.ensembles]),
    }


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
            mapped = mapped_columns(path)
            names = [name for name in stored.files if name not in mapped]
            return _evidence({name: stored[name] for name in names} | mapped)
    except Exception as error:  # whatever a damaged file makes zipfile, numpy and json raise
        raise UserError(
            f"{path} can't be read as evidence ({type(error).__name__}): restore it with git, or "
            "delete it and run the study again."
        ) from None


def _check_size(path: Path) -> None:
    """Raise a ValueError for a small file that would fill the memory once decompressed."""
    with zipfile.ZipFile(path) as members:
        packed = [own for own in members.infolist() if own.compress_type != zipfile.ZIP_STORED]
        if sum(member.file_size for member in packed) > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES >> 20} MiB")


def _evidence(arrays: dict[str, NDArray[Any]]) -> Evidence:
    target, predicted = arrays["target"], arrays["predicted"]
    count = len(arrays["key"])
    if predicted.dtype != np.uint8 or predicted.shape != (count, len(target)) or not count:
        raise ValueError("predictions and targets don't belong together")
    if arrays["certainty"].shape != predicted.shape:
        raise ValueError("predictions and their probabilities don't belong together")
    metric, margin = _metric(arrays)
    runs = []
    for number in range(count):
        fields: dict[str, Any] = {name: arrays[name][number].item() for name in _PLAIN}
        nested = [name for name in (*_JSON, "others") if name in arrays]
        fields |= {name: json.loads(arrays[name][number]) for name in nested}
        if metric != ERROR:
            fields |= {"value": float(arrays["value"][number]), "scores": arrays["scores"][number]}
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
        ensembles=_ensembles(arrays, runs),
        stopping=stopping,
        metric=metric,
        margin=margin,
        leaked=arrays.get("leaked", np.zeros(0, np.int32)),
        **{name: arrays[name] for name in _IMAGES},
    )


def _metric(arrays: dict[str, NDArray[Any]]) -> tuple[Metric, float | None]:
    if "metric" not in arrays:
        return ERROR, None
    content = json.loads(str(arrays["metric"]))
    margin = float(content.pop("margin"))
    metric, (count, images) = read_metric(content), arrays["predicted"].shape
    of_scores = (count, images if metric.by_image else 0)
    if arrays["scores"].shape != of_scores or arrays["value"].shape != (count,):
        raise ValueError("predictions and their scores don't belong together")
    return metric, margin


def _ensembles(arrays: dict[str, NDArray[Any]], runs: list[RunEvidence]) -> list[Ensemble]:
    """Return the ensembles, of all runs of a variant where the file names none.

    Not those of some runs in a file from before these were named: whose they are isn't known.
    """
    variants = [str(variant) for variant in arrays["ensemble"]]
    if "ensemble_keys" in arrays:
        keys = [tuple(json.loads(own)) for own in arrays["ensemble_keys"]]
        if not all(keys) or not {run.key for run in runs} >= {*chain.from_iterable(keys)}:
            raise ValueError("networks are together whose runs aren't there")
    else:
        keys = [tuple(run.key for run in runs if run.variant == own) for own in variants]
    scores = arrays.get("ensemble_scores", [None] * len(variants))
    each = zip(variants, keys, arrays["ensemble_predicted"], scores, strict=True)
    made = zip(arrays["ensemble_members"], (Ensemble(*fields) for fields in each), strict=True)
    return [own for members, own in made if own.members == members]
