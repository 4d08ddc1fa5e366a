"""What the marker ``faults`` of a test says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """What the marker ``faults`` of a test promises; docs/faults.md is made of all of them.

    Attributes
    ----------
    fault : str
        What happens.
    lost : str
        What is gone afterwards.
    repeated : str
        What is done twice.
    code : int or str
        With which the command ends; in words where that isn't one number.
    says : str
        Part of what it prints.
    """

    fault: str
    lost: str
    repeated: str
    code: int | str
    says: str
