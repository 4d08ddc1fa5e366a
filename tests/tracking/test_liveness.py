"""Which processes still live, by the tags of the runs that they opened."""

import os
import subprocess
import sys

from sidebyside.tracking.liveness import is_alive, this_process


def test_this_process_lives():
    assert this_process()["process.id"] == str(os.getpid())
    assert is_alive(this_process())


def test_a_number_given_again_is_another_process():
    started = float(this_process()["process.started"])
    assert not is_alive(this_process() | {"process.started": f"{started - 60:.2f}"})


def test_a_process_that_ended_does_not_live():
    program = "from sidebyside.tracking.liveness import this_process as this; "
    ended = subprocess.run(
        [sys.executable, "-c", f"{program}print(*this().values())"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    tags = dict(zip(this_process(), ended.stdout.split(), strict=True))
    assert not is_alive(tags)
    assert is_alive(tags | {"process.host": "another"}), "nobody can tell from here"


def test_tags_without_a_process_name_none_alive():
    assert not is_alive({"process.host": this_process()["process.host"]})
