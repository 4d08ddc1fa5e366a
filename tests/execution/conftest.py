"""What tests of several engines compare with."""

import pytest

from support.sweeps import TWO, digests, sweep_here


@pytest.fixture(scope="session")
def undisturbed(project, tmp_path_factory):
    """The weights digests of the runs of ``TWO`` that nothing has disturbed, by run key."""
    home = tmp_path_factory.mktemp("undisturbed")
    done = sweep_here(project, home, *TWO, "hydra.launcher.workers=2")
    assert done.returncode == 0, done.stderr
    return digests(home)
