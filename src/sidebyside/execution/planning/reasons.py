"""Why a run would be trained again, or wouldn't."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sidebyside import paths
from sidebyside.data.arrays import open_arrays
from sidebyside.data.prepare import prepared
from sidebyside.engine.recipe import Recipe, read_recipe
from sidebyside.engine.training.numerics import resolve
from sidebyside.errors import UserError
from sidebyside.execution.jobs import RETRAIN_VARIABLE, full_identity, retraining
from sidebyside.execution.planned import Planned, Wanted
from sidebyside.storage import cards, keys, store
from sidebyside.storage.evaluations import find_evaluation
from sidebyside.storage.staleness import Difference, Stored
from sidebyside.storage.store import DamagedError


@dataclass(frozen=True)
class Reason:
    """What would become of a run, and why.

    Attributes
    ----------
    key : str
        The run key that it would have.
    trains : bool
    because : str
        In a sentence.
    nearest : str or None
        The key of the stored run that is most like it, for one that would be trained.
    differences : tuple of Difference
        In what that one differs.
    """

    key: str
    trains: bool
    because: str
    nearest: str | None = None
    differences: tuple[Difference, ...] = ()


def reasons_of(wanted: Sequence[Wanted]) -> list[tuple[str, Reason]]:
    """Return the name of each run of a grid, and what would become of it.

    Raises
    ------
    UserError
        If their data aren't prepared, by which runs are known.
    """
    places = {(own.dataset.name, own.data_format): own.dataset for own, _ in wanted}
    for (_, data_format), dataset in places.items():
        if not prepared(dataset, data_format):
            raise _unprepared(dataset.name, data_format, ", and any other dataset.* given here")
    planned, stored = Planned(), Stored()
    jobs = planned.add(wanted)
    reasons = [(str(run), _HELD) for run in planned.held.values()]
    return reasons + [
        (str(job.run), _reason(job.run.key, job.identity, stored, job.config.evaluate))
        for job in jobs
    ]


def reason_of_stored(key: str) -> Reason:
    """Return what would become of a stored run if it were asked for today.

    Raises
    ------
    UserError
        If there is no such run, or its data aren't prepared.
    """
    folders = [own.parent for own in paths.runs().glob(f"{key}*/{store.CARD}")]
    if len(folders) != 1:
        found = f"{len(folders)} runs begin" if folders else "No run begins"
        raise UserError(f"{found} with {key} in {paths.runs()}: give more digits of its key.")
    try:
        run = store.load(folders[0], read=())
    except DamagedError as reason:
        return Reason(folders[0].name, True, f"damaged: {reason}")
    identity = _today(run.recipe, run.identity)
    now = keys.run_key(identity)
    return _reason(now, identity, Stored(), evaluate=True)


_HELD = Reason("", False, "in the committed evidence")


def _reason(key: str, identity: Mapping[str, Any], stored: Stored, evaluate: bool) -> Reason:
    if retraining():
        return Reason(key, True, f"{RETRAIN_VARIABLE} is set, so that all is trained anew")
    if store.holds(key):
        try:
            store.load(paths.run(key))
        except DamagedError as damage:
            return Reason(key, True, f"damaged: {damage}")
        if evaluate and find_evaluation(key) is None:
            return Reason(key, False, "trained, and only to be evaluated")
        return Reason(key, False, "finished")
    begun = store.epochs_done(key)
    going_on = f"going on after epoch {begun}" if begun else "not in the run store"
    found = stored.nearest(identity)
    if found is None:
        return Reason(key, True, going_on)
    return Reason(key, True, going_on, found[0], tuple(found[1]))


def _today(recipe: Recipe, identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return the identity that a run with this recipe has today, on this machine."""
    card = cards.card_for("gpu" if keys.on_gpu(identity) else "cpu")
    arrays = open_arrays(paths.processed(recipe.dataset, recipe.data_format))
    if arrays is None:
        raise _unprepared(recipe.dataset, recipe.data_format)
    try:
        numerics = resolve(identity["environment"]["numerics"])
    except (KeyError, UserError):
        numerics = resolve("auto")
    return full_identity(read_recipe(recipe.as_json()), arrays, numerics, card)


def _unprepared(dataset: str, data_format: str, further: str = "") -> UserError:
    return UserError(
        f"The data of {dataset} in {data_format} aren't prepared{further and ' as asked for'}, and "
        f"runs are known by them: python pipelines/preprocess.py dataset={dataset} "
        f"data_format={data_format}{further}."
    )
