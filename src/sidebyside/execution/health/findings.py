"""What a check finds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Level = Literal["good", "note", "wrong"]


@dataclass(frozen=True)
class Finding:
    """What a check has found.

    Attributes
    ----------
    level : str
        "wrong" keeps something from working; a "note" should be known.
    said : str
        What there is.
    mend : str
        What to do about it; empty where nothing has to be done.
    fix : callable, optional
        Does that itself and returns what it has done.
    """

    level: Level
    said: str
    mend: str = ""
    fix: Callable[[], str] | None = None


Check = Callable[[], Finding]
