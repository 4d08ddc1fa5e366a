"""What to mind in all that a report says: runs that diverged, test images that were trained on."""

from sidebyside.storage.evidence import Evidence


def diverged(evidence: Evidence) -> list[str]:
    """Return a sentence on runs that count although their loss is no number; none without any."""
    runs = [f"{run.variant} seed {run.seed}" for run in evidence.runs if run.diverged]
    if not runs:
        return []
    listed = "; ".join(runs)
    return [f"{len(runs)} of {len(evidence.runs)} runs diverged and count as they are: {listed}."]


def leaked(evidence: Evidence) -> list[str]:
    """Return a sentence on test images that were trained on, none without any."""
    count, images = len(evidence.leaked), len(evidence.target)
    if not count:
        return []
    return [
        f"{count} of the {images} test images are among the training images too, pixel by pixel, "
        f"so errors flatter by up to {100 * count / images:.2f} points."
    ]
