"""How long a run will take, by what runs took that this home has trained.

A training is a fixed part (its graph is traced, its files are written) and steps, whose time grows
with the images, the epochs and the operations of the network. Both are taken from those recorded
runs that are most alike: for a variant that was trained before, from just its own.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import ValidationError

from sidebyside import paths
from sidebyside.config.compose import compose_config
from sidebyside.config.datasets import Dataset
from sidebyside.config.protocols import training_size
from sidebyside.config.schema import Config
from sidebyside.config.validate import check_dataset
from sidebyside.engine.blocks import AnyModel, Instance, Model
from sidebyside.engine.recipe import DataFormat, read_recipe
from sidebyside.engine.summary import operations, summarise
from sidebyside.engine.training.numerics import resolve
from sidebyside.errors import UserError
from sidebyside.files import read_json, write_json
from sidebyside.storage import keys, store

CHANNELS_FIRST = 1.5  # how much longer an operation takes, see docs/performance.md
_MOST = 400  # recorded runs that are read, the newest: a store may hold ten thousand
_START = ".start.json"  # what the last launches of this home took until they began to train
_LAUNCHES = 5  # of which that is kept
# Where nothing was trained: of the networks of the factorial, on an AMD EPYC with 2 workers.
_PER_OPERATION = 3.1e-11  # seconds of training for an operation of a prediction
_FIXED, _STARTING, _PUBLISHING = 1.2, 8.0, 0.3  # seconds: of a run, a launch, for MLflow
_EVALUATION = 2 / 3  # of a training step's operations: forwards, in both data formats
_UNKNOWN = 10_000_000  # operations of a network of one's own, where it was never trained
_FILES = 2**17  # bytes of a run's files besides weights and predictions


@dataclass(frozen=True)
class Timed:
    """What a run took that this home has trained.

    Attributes
    ----------
    alike : tuple
        What decides its speed: see `_alike`.
    kind : tuple
        See `_kind`.
    seconds, steps : float
        Of the training, and of its steps among them.
    parameters : int
    cost : float
        See `cost`.
    """

    alike: tuple[Any, ...]
    kind: tuple[Any, ...]
    seconds: float
    steps: float
    parameters: int
    cost: float


def cost(config: Config) -> float:
    """Return how long a run's steps take, up to a constant factor: its operations."""
    dataset, training = config.dataset, config.training
    images = training_size(config.protocol, dataset.size) * training.epochs
    return images * _of_an_image(config.model, config.data_format, dataset)


def _of_an_image(model: AnyModel, data_format: DataFormat, dataset: Dataset) -> float:
    if isinstance(model, Instance):
        return _UNKNOWN
    factor = CHANNELS_FIRST if data_format == "channels_first" else 1
    return operations(model, dataset.shape, dataset.classes) * factor


def _tested(dataset: Dataset) -> int:
    """Return about how many test images there are."""
    labels = dataset.files.get("test_labels")
    return labels.bytes if labels and not labels.name.endswith(".gz") else dataset.size // 5


class Timings:
    """What runs took, and what others will take.

    Parameters
    ----------
    configs : sequence of Config
        Of which runs will be asked; their datasets are known then.
    """

    def __init__(self, configs: Sequence[Config]) -> None:
        self._datasets: dict[str, Dataset | None] = {c.dataset.name: c.dataset for c in configs}
        self._timed = self._recorded()
        self._kinds = {own.kind for own in self._timed}
        self._known: dict[tuple[Any, ...], tuple[float, float]] = {}

    def knows(self, config: Config) -> bool:
        """Whether a run of the same kind was recorded here; the time of another is a guess."""
        return _kind(_alike(config), config.model, config.dataset) in self._kinds

    def training(self, config: Config, left: float = 1) -> float:
        """Return the seconds of a run's training, of which a part of the epochs may be left."""
        fixed, of_operation = self._of(config)
        return fixed + of_operation * cost(config) * left

    def beside(self, config: Config) -> float:
        """Return the seconds that a worker is at a run besides: its evaluation, and MLflow."""
        if not config.evaluate:
            return _PUBLISHING
        _, of_operation = self._of(config)
        tested = _of_an_image(config.model, "channels_last", config.dataset)
        return _PUBLISHING + _EVALUATION * of_operation * tested * _tested(config.dataset)

    def starting(self) -> float:
        """Return the seconds until a launch begins with its runs, and after them."""
        with suppress(OSError, ValueError, TypeError):
            return float(median(read_json(paths.runs() / _START)))
        return _STARTING

    def size(self, config: Config) -> int:
        """Return how many bytes a run's files take in the run store."""
        dataset, model = config.dataset, config.model
        same = [own.parameters for own in self._timed if own.alike[1:4] == _alike(config)[1:4]]
        if same:
            parameters = same[-1]
        elif isinstance(model, Instance):
            parameters = 0
        else:
            rows = summarise(model, dataset.shape, dataset.classes, config.data_format)
            parameters = sum(row.parameters for row in rows)
        predictions = _tested(dataset) * (4 * dataset.classes + 1)
        return 4 * parameters + predictions * config.evaluate + _FILES

    def _of(self, config: Config) -> tuple[float, float]:
        """Return the fixed seconds of a training, and those of an operation."""
        alike = _alike(config)
        if alike not in self._known:
            near = _nearest(self._timed, alike)
            fixed = median(own.seconds - own.steps for own in near) if near else _FIXED
            steps = median(own.steps / own.cost for own in near) if near else _PER_OPERATION
            self._known[alike] = fixed, steps
        return self._known[alike]

    def _recorded(self) -> list[Timed]:
        """Return what runs in the run store took, the newest last."""
        folders = [path.parent for path in paths.runs().glob(f"*/{store.TIMING}")]
        newest = sorted(folders, key=_modified)[-_MOST:]
        timed = []
        for folder in newest:
            # Of a version that trained what this one can't; or removed in this moment.
            with suppress(OSError, ValueError, KeyError, TypeError, ValidationError, UserError):
                timed.append(self._read(read_json(folder / store.CARD), folder / store.TIMING))
        return timed

    def _read(self, card: Mapping[str, Any], timing: Any) -> Timed:
        took, identity = read_json(timing), card["identity"]
        recipe = read_recipe(identity["recipe"])
        dataset = self._dataset(recipe.dataset)
        images = training_size(recipe.protocol, dataset.size) * recipe.epochs  # type: ignore[arg-type]
        numerics = identity["environment"]["numerics"]
        alike = _alike_of(recipe, numerics, keys.on_gpu(identity))
        return Timed(
            alike,
            _kind(alike, recipe.model, dataset),
            took["seconds"],
            took.get("step_seconds", took["seconds"]),
            card["parameters"],
            images * _of_an_image(recipe.model, recipe.data_format, dataset),
        )

    def _dataset(self, name: str) -> Dataset:
        """Return a dataset by name, as the config describes it now.

        Raises
        ------
        UserError
            If it doesn't any more.
        """
        if name not in self._datasets:
            self._datasets[name] = None
            with suppress(UserError):
                self._datasets[name] = check_dataset(compose_config([f"dataset={name}"]))
        if (found := self._datasets[name]) is None:
            raise UserError(f"dataset={name} is unknown.")
        return found


def _modified(folder: Path) -> float:
    """Return when a run was stored, 0 for one that is removed in this moment."""
    with suppress(OSError):
        return folder.stat().st_mtime
    return 0


def note_start(seconds: float) -> None:
    """Note what a launch took until it began with its first run."""
    before: list[float] = []
    with suppress(OSError, ValueError):
        before = list(read_json(paths.runs() / _START))
    paths.runs().mkdir(parents=True, exist_ok=True)
    write_json(paths.runs() / _START, [*before, round(seconds, 2)][-_LAUNCHES:])


def _alike(config: Config) -> tuple[Any, ...]:
    numerics = resolve(config.training.numerics)
    return _alike_of(config.recipe(), numerics, config.training.device == "gpu")


def _alike_of(recipe: Any, numerics: str, gpu: bool) -> tuple[Any, ...]:
    """Return what decides a run's speed; what matters most comes first."""
    return (
        (gpu, recipe.precision, recipe.threads, numerics),
        repr(recipe.model),
        recipe.dataset,
        recipe.data_format,
        repr(recipe.augmentation),
        repr(recipe.optimizer),
        recipe.batch_size,
    )


def _kind(alike: tuple[Any, ...], model: AnyModel, dataset: Dataset) -> tuple[Any, ...]:
    """Return what runs have in common of which one tells the time of another.

    Within a network, whatever its kernels, the time of a step is in proportion to its operations;
    from one network to another it is so roughly.
    """
    network = model.name if isinstance(model, Model) else repr(model)
    return alike[0], network, dataset.shape


_WEIGHTS = (16, 8, 2, 4, 4, 1, 1)  # of each part of `_alike_of`


def _nearest(timed: Sequence[Timed], alike: tuple[Any, ...]) -> list[Timed]:
    """Return those runs that are most like one that will be trained."""

    def likeness(own: Timed) -> int:
        pairs = zip(_WEIGHTS, own.alike, alike, strict=True)
        return sum(weight for weight, one, other in pairs if one == other)

    most = max(map(likeness, timed), default=0)
    return [own for own in timed if likeness(own) == most]
