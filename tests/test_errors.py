"""A full disk is recognised, whoever reports it."""

import errno
import sqlite3

import pytest

from sidebyside.errors import disk_is_full


def caused(by: Exception) -> Exception:
    """Return an error that ``by`` led to."""
    try:
        try:
            raise by
        except Exception as error:
            raise RuntimeError("it failed") from error
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "no words"), True),
        (OSError(errno.EDQUOT, "no words"), True),
        (sqlite3.OperationalError("database or disk is full"), True),
        (RuntimeError("HDF5: errno = 28, error message = 'No space left on device'"), True),
        (OSError(errno.EACCES, "Permission denied"), False),
        (ValueError("full of mistakes"), False),
    ],
)
def test_a_full_disk_is_told_from_other_obstacles(error, full):
    assert disk_is_full(error) is full
    assert disk_is_full(caused(caused(error))) is full
