"""Why runs are trained again although the run store has them, made by other code."""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from sidebyside import paths
from sidebyside.files import read_json
from sidebyside.stderr import told
from sidebyside.storage import keys, store

_ALWAYS = ("dataset", "seed", "epochs", "batch_size", "data_format", "protocol")  # of recipes


def explain(identities: Iterable[Mapping[str, Any]]) -> str | None:
    """Return a sentence on runs that are stale, None where none are.

    Parameters
    ----------
    identities : iterable of dict
        What `sidebyside.storage.keys.identity` returned for runs that the run store doesn't have.

    Returns
    -------
    str or None
        Names what has changed since: source modules of ``src/sidebyside/``, and what of the
        environment.
    """
    wanted = list(identities)
    stored = _stored({_signature(own) for own in wanted}) if wanted else {}
    stale, changed = 0, set()
    for identity in wanted:
        before = stored.get(keys.task(identity))
        if before is not None:
            stale += 1
            changed |= _changed(before, identity)
    if not stale:
        return None
    return (
        f"{stale} of {len(wanted)} runs to train were trained before, but "
        f"{', '.join(sorted(changed))} changed since and may change what comes out."
    )


def _signature(identity: Mapping[str, Any]) -> str:
    """Return what runs of one recipe and data have in common, whichever version wrote them."""
    return f"{identity['arrays']} {[identity['recipe'].get(name) for name in _ALWAYS]}"


def _stored(signatures: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return the newest identity in the run store of each recipe and data with a signature."""
    cards = sorted(paths.runs().glob(f"*/{store.CARD}"), key=lambda path: path.stat().st_mtime)
    stored = {}
    for card in told(cards, len(cards), "stored runs looked at"):
        identity = read_json(card)["identity"]
        if _signature(identity) not in signatures:
            continue  # to read a recipe takes longer than its file
        with suppress(ValidationError):  # of a version that trained what this one can't
            stored[keys.task(identity)] = identity
    return stored


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> set[str]:
    return {
        name
        for part in ("sources", "environment")
        for name in before[part].keys() | now[part].keys()
        if before[part].get(name) != now[part].get(name)
    }
