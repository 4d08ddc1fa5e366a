"""How a command ends: the exit code and the sentence."""

import errno

import pytest

from sidebyside.cli.program import user_errors_reported
from sidebyside.errors import UserError


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (UserError("seed=-1 is no seed."), 2, "error: seed=-1 is no seed.\n"),
        (KeyboardInterrupt(), 130, "Interrupted: what is finished is kept."),
        (PermissionError(errno.EACCES, "denied", "/there/file"), 2, "write /there/file: change"),
        (OSError(errno.ENOSPC, "full"), 2, "error: No space is left on a disk"),
    ],
)
def test_what_the_user_can_remove_is_a_sentence(capsys, error, code, says):
    with pytest.raises(SystemExit) as ended, user_errors_reported():
        raise error
    assert ended.value.code == code
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said


def test_a_mistake_of_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError), user_errors_reported():
        raise ZeroDivisionError
