"""How large networks are: their parameters and what one image takes."""

import json
from dataclasses import dataclass

from pydantic import TypeAdapter

from sidebyside.engine.blocks import AnyModel, Instance, Model
from sidebyside.engine.summary import operations
from sidebyside.storage.evidence import Evidence

_MODEL: TypeAdapter[Model | Instance | None] = TypeAdapter(AnyModel | None)


@dataclass(frozen=True)
class Size:
    """What a network costs, however fast a machine is.

    Attributes
    ----------
    parameters : int
    multiply_adds : int or None
        Of one image, in convolutions and dense layers; None for a model of one's own, whose layers
        are known to its source alone.
    """

    parameters: int
    multiply_adds: int | None

    def is_smaller_than(self, other: "Size") -> bool:
        """Whether it has less of something, and no more of anything that is known of both."""
        pairs = [(self.parameters, other.parameters)]
        if self.multiply_adds is not None and other.multiply_adds is not None:
            pairs.append((self.multiply_adds, other.multiply_adds))
        return all(own <= its for own, its in pairs) and any(own < its for own, its in pairs)


def sizes(evidence: Evidence) -> dict[str, Size]:
    """Return the size of each variant's network."""
    height, width, *channels = evidence.samples.shape[1:]
    shape, classes = (height, width, *(channels or [1])), 1 + int(evidence.target.max())
    found, uses = {}, {}
    for run in evidence.runs:
        described = json.dumps(run.recipe.get("model"))
        if described not in uses:
            model = _MODEL.validate_json(described)
            known = operations(model, shape, classes) if isinstance(model, Model) else None
            uses[described] = None if known is None else known // 2
        found[run.variant] = Size(run.parameters, uses[described])
    return found
