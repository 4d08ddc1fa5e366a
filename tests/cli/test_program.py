"""How a command ends: the exit code and the sentence."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from sidebyside.cli.program import user_errors_reported
from sidebyside.errors import UserError


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (UserError("seed=-1 is no seed."), 2, "error: seed=-1 is no seed.\n"),
        (KeyboardInterrupt(), 130, "Interrupted: what is finished is kept."),
        (PermissionError(errno.EACCES, "denied", "/there/file"), 2, "for /there/file: change"),
        (IsADirectoryError(errno.EISDIR, "a folder", "/it"), 2, "error: /it won't do (a folder)"),
        (FileExistsError(errno.EEXIST, "there", "/a", None, "/b"), 2, "error: /b won't do"),
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


@pytest.mark.parametrize("error", [ZeroDivisionError, NotADirectoryError, BrokenPipeError])
def test_a_mistake_of_ours_keeps_its_traceback(error):
    with pytest.raises(error), user_errors_reported():
        raise error


PRINTING = """
from sidebyside.cli.program import user_errors_reported
with user_errors_reported():
    for _ in range({lines}):
        print("a line")
    {then}
"""


@pytest.mark.parametrize(
    ("lines", "then", "code"),
    [(1, "pass", 0), (100_000, "pass", 141), (1, "raise SystemExit(3)", 3)],
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_nobody_who_reads_ends_it_quietly(lines, then, code, unbuffered):
    ours, theirs = os.pipe()
    os.close(ours)
    program = [sys.executable, "-c", PRINTING.format(lines=lines, then=then)]
    done = subprocess.run(
        program,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(theirs)
    assert done.stderr == ""
    assert done.returncode in ({code, 141} if unbuffered else {code})


def test_without_a_standard_output_it_ends_as_ever():
    command = f"exec {sys.executable} -c '{PRINTING.format(lines=1, then='pass')}' >&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_stopped_ends_as_its_help_says(sent, tmp_path):
    command = [sys.executable, "-m", "sidebyside.cli.main", "plan", "study=factorial"]
    with subprocess.Popen(
        command,
        env=os.environ | {"SIDEBYSIDE_HOME": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr.readline().startswith("planning")  # all else takes seconds
        process.send_signal(sent)
        said = process.stderr.read()
    assert process.returncode == 130
    assert "Interrupted: what is finished is kept." in said
    assert "Traceback" not in said
