"""A study from Python: what it refuses before anything is trained."""

import pytest

from sidebyside import UserError, compose, run_study


def test_a_config_without_a_study_is_refused(home):
    with pytest.raises(UserError, match="No study is selected"):
        run_study(compose())
    assert not (home / "runs").exists()
