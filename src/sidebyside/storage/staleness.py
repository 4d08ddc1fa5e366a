"""Why runs are trained again although the run store has some that are like them."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from sidebyside import paths
from sidebyside.engine.recipe import read_recipe
from sidebyside.files import read_json
from sidebyside.stderr import told
from sidebyside.storage import keys, store

_ALWAYS = ("dataset", "seed", "epochs", "batch_size", "data_format", "protocol")  # of recipes
_DECIDING = ("sources", "environment")  # parts of an identity that a person doesn't choose
_ABSENT = "-"


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
    stored = {}
    for identity in _identities().values():
        with suppress(KeyError, ValidationError):  # of a version that trained what this one can't
            if _signature(identity) in signatures:  # to read a recipe takes longer than its file
                stored[keys.task(identity)] = identity
    return stored


def _identities() -> dict[str, dict[str, Any]]:
    """Return the identities in the run store by key, the newest last; damaged cards are no run."""
    cards = []
    for path in paths.runs().glob(f"*/{store.CARD}"):
        with suppress(OSError):  # removed in this moment
            cards.append((path.stat().st_mtime, path))
    found = {}
    for _, card in told(sorted(cards), len(cards), "stored runs looked at"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            identity = read_json(card)["identity"]
            if all(isinstance(identity[part], dict) for part in ("recipe", *_DECIDING)):
                found[card.parent.name] = identity
    return found


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> set[str]:
    return {
        name
        for part in _DECIDING
        for name in before[part].keys() | now[part].keys()
        if before[part].get(name) != now[part].get(name)
    }


@dataclass(frozen=True)
class Difference:
    """What isn't the same in two identities: a part of them, as it was stored and as it is now."""

    part: str
    stored: str
    now: str


def differences(stored: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """Return in what two identities differ, what a person chooses first.

    Digests are shown by their first digits, and what isn't there as "-".
    """
    return _between(_parts(stored), _parts(now))


def _between(before: Mapping[str, str], after: Mapping[str, str]) -> list[Difference]:
    parts = before.keys() | after.keys()
    names = sorted(parts, key=lambda name: (not name.startswith("recipe."), name))
    return [
        Difference(name, before.get(name, _ABSENT), after.get(name, _ABSENT))
        for name in names
        if before.get(name, _ABSENT) != after.get(name, _ABSENT)
    ]


class Stored:
    """The identities in the run store, among which the nearest to another is looked for."""

    def __init__(self) -> None:
        self._known = {key: _parts(_of_today(own)) for key, own in _identities().items()}

    def nearest(self, identity: Mapping[str, Any]) -> tuple[str, list[Difference]] | None:
        """Return the key of the run that differs least, and in what; None in an empty store."""
        found: tuple[str, list[Difference]] | None = None
        now = _parts(identity)
        for key, own in reversed(self._known.items()):  # of those alike the newest
            differs = _between(own, now)
            if found is None or _distance(differs) < _distance(found[1]):
                found = key, differs
        return found


def _of_today(identity: dict[str, Any]) -> dict[str, Any]:
    """Return an identity whose recipe names all that can be chosen today."""
    with suppress(ValidationError):
        return identity | {"recipe": read_recipe(identity["recipe"]).as_json()}
    return identity


def _distance(differs: Sequence[Difference]) -> int:
    """Return how much differs: choices and data count most, all source modules together once."""
    chosen = [own for own in differs if own.part.startswith(("recipe.", "data"))]
    others = {own.part.partition(".")[0] for own in differs if own not in chosen}
    return 10 * len(chosen) + len(others)


def _parts(identity: Mapping[str, Any]) -> dict[str, str]:
    """Return the parts of an identity, each as text, by a name that a person knows."""
    parts = {f"recipe.{name}": own for name, own in _flat(identity["recipe"])}
    parts["data (digest of the arrays)"] = _short(identity["arrays"])
    if "division" in identity:
        parts["data (digest of their division)"] = _short(identity["division"])
    sources = {f"source {name}": _short(own) for name, own in identity["sources"].items()}
    return parts | sources | {f"environment.{n}": own for n, own in _flat(identity["environment"])}


def _flat(content: Any, above: str = "") -> Iterator[tuple[str, str]]:
    pairs: Iterable[tuple[Any, Any]] = ()
    if isinstance(content, Mapping):
        pairs = content.items()
    elif isinstance(content, list):
        pairs = enumerate(content)
    if not isinstance(content, Mapping | list):
        yield above, json.dumps(content)
    for name, own in pairs:
        yield from _flat(own, f"{above}.{name}" if above else str(name))


def _short(digest: Any) -> str:
    return str(digest)[:12]
