"""Who sees which images: the protocols, and how many images each trains on."""

from typing import Literal, get_args

Protocol = Literal[
    "clean", "train60k", "test_as_validation", "tf55k", "split20", "kfold5", "kfold10"
]

# These are cross-validation: the training images in so many folds, each run tested on one of them.
FOLDS: dict[str, int] = {"kfold5": 5, "kfold10": 10}

# Those whose division of the training images is one of the processed arrays.
PROTOCOLS: tuple[Protocol, ...] = tuple(own for own in get_args(Protocol) if own not in FOLDS)

# These show the test images to whoever watches the training: their test figures flatter.
TEST_AS_VALIDATION: tuple[Protocol, ...] = ("test_as_validation", "tf55k")

# These hold images out of the training images, on which choices may be made.
HOLDS_OUT: tuple[Protocol, ...] = ("clean", "split20")

_CLEAN_PARTS = 6  # one of six is held out: MNIST's 60 000 become 50 000 and 10 000
_TF_PARTS = 12  # the first of twelve isn't used: MNIST's 60 000 become 55 000
_SPLIT_PARTS = 5  # the last of five is held out


def training_size(protocol: Protocol, images: int) -> int:
    """Return how many of a dataset's training images ``protocol`` trains on."""
    if protocol in FOLDS:
        return images - -(-images // FOLDS[protocol])  # beside the largest fold
    held_out = {"clean": _CLEAN_PARTS, "tf55k": _TF_PARTS, "split20": _SPLIT_PARTS}
    return images - images // held_out[protocol] if protocol in held_out else images


def folds_of(protocol: str) -> int:
    """Return into how many folds ``protocol`` divides the training images; 1 for those without."""
    return FOLDS.get(protocol, 1)
