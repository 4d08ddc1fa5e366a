"""What documents show is what the committed reports say."""

import re
import subprocess
import sys

import pytest

from sidebyside.config.compose import compose_config
from sidebyside.config.validate import check_study
from support.projects import SOURCE

DOCUMENTS = [SOURCE / "README.md", *sorted((SOURCE / "docs").glob("*.md"))]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_what_is_shown_is_what_was_generated(path, monkeypatch):
    monkeypatch.syspath_prepend(SOURCE / "docs")
    try:
        from embed import embed

        text = path.read_text()
        assert embed(text) == text, "make docs brings it up to date"
    finally:
        sys.modules.pop("embed", None)


def test_a_study_by_another_metric_begins_as_the_page_says(tmp_path, monkeypatch):
    (block,) = re.findall(
        r"```yaml\n(.*?)```", (SOURCE / "docs" / "metrics.md").read_text(), flags=re.DOTALL
    )
    path = tmp_path / "conf" / "study" / "by_log_loss.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(block)
    (tmp_path / "params.yaml").write_text((SOURCE / "params.yaml").read_text())
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(tmp_path))
    study = check_study(compose_config(["study=by_log_loss"]))
    assert (study.name, study.metric, study.margin) == ("by_log_loss", "log_loss", 0.005)
    assert study.expected_equal == ["data_format"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["faults", "bits", "configuration"])
def test_a_table_is_that_of_the_tests(name):
    made = subprocess.run(
        [sys.executable, str(SOURCE / "docs" / f"{name}.py")],
        cwd=SOURCE,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    shown = (SOURCE / "docs" / f"{name}.md").read_text()
    assert made.stdout == shown, "make docs brings it up to date"
