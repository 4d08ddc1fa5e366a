"""What C++ libraries print is hidden for a while, and only that."""

import os
import sys
import time

import pytest

from sidebyside.stderr import greetings_hidden, told


def test_only_file_descriptor_2_is_quiet_and_only_meanwhile(capfd):
    with greetings_hidden():
        os.write(2, b"a greeting\n")
        print("a result")
        sys.stdout.flush()
    os.write(2, b"a warning\n")
    assert capfd.readouterr() == ("a result\n", "a warning\n")


def test_an_error_passes_and_the_terminal_is_back(capfd):
    with pytest.raises(RuntimeError), greetings_hidden():
        raise RuntimeError
    os.write(2, b"a warning\n")
    assert capfd.readouterr().err == "a warning\n"


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "said"), [(0.0, []), (1.1, ["2", "3"])])
def test_long_work_says_how_far_it_is_and_that_it_is_done(capsys, seconds, said):
    for _ in told(range(3), 3, "things done"):
        time.sleep(seconds)
    assert capsys.readouterr().err.splitlines() == [f"{count} of 3 things done" for count in said]
