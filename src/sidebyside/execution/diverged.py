"""Trainings that lead nowhere."""

import math
from typing import TYPE_CHECKING

from sidebyside.errors import UserError

if TYPE_CHECKING:
    from sidebyside.engine.training.fit import State


class DivergedError(UserError):
    """The loss of a training is no number any more."""


def check_loss(state: "State") -> None:
    """Raise a DivergedError where there is nothing left to train."""
    loss = state.figures()["loss"]
    if not math.isfinite(loss):
        raise DivergedError(
            f"diverged in epoch {state.epochs_done}: loss is {loss}. Choose a smaller "
            "optimizer.learning_rate, or training.diverged=counts to keep such a run."
        )
