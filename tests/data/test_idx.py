"""The IDX format: what fits is read, what doesn't is refused by name."""

import numpy as np
import pytest

from sidebyside import UserError
from sidebyside.data.preprocessing import idx

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
CONTENT = idx.serialise(IMAGES)


def test_what_is_written_is_read():
    assert CONTENT[:4] == bytes([0, 0, 8, 3])
    np.testing.assert_array_equal(idx.parse(CONTENT, "digits", 3), IMAGES)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (CONTENT[:-1], "is truncated"),
        (CONTENT[:7], "is truncated"),
        (b"", "is truncated"),
        (CONTENT + b"x", "is too long"),
        (b"\x1f\x8b" + CONTENT, "is no IDX file"),
        (b"\0\0\x0d\3" + CONTENT[4:], "is no IDX file"),
        (idx.serialise(np.zeros(30, np.uint8)), "has 1 dimensions where 3 are expected"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(content, reason):
    with pytest.raises(UserError, match=f"some/digits {reason}"):
        idx.parse(content, "some/digits", 3)
