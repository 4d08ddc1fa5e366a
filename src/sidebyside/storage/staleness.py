"""Why runs are trained again although the run store has them, made by other code."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from sidebyside import paths
from sidebyside.files import read_json
from sidebyside.storage import keys, store


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
    stored = _stored() if wanted else {}
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


def _stored() -> dict[str, dict[str, Any]]:
    """Return the newest identity in the run store of each recipe and data."""
    cards = sorted(paths.runs().glob(f"*/{store.CARD}"), key=lambda path: path.stat().st_mtime)
    stored = {}
    for card in cards:
        identity = read_json(card)["identity"]
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
