"""Which code made a report."""

import subprocess

import pytest

from sidebyside.report.compare import made_by


def git(root, *arguments):
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", "-C", root, *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with one commit, as the project's root."""
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(tmp_path))
    (tmp_path / "conf" / "study").mkdir(parents=True)
    (tmp_path / "params.yaml").write_text("training: {}\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_a_file_that_git_does_not_know_is_a_change(repository):
    assert made_by()["uncommitted changes"] == "no"
    (repository / "conf" / "study" / "mine.yaml").write_text("study: {name: mine}\n")
    assert made_by()["uncommitted changes"] == "yes"


def test_a_changed_file_is_a_change_and_a_report_is_none(repository):
    (repository / "reports").mkdir()
    (repository / "reports" / "comparison.md").write_text("new by nature")
    assert made_by()["uncommitted changes"] == "no"
    (repository / "params.yaml").write_text("training: {epochs: 2}\n")
    assert made_by()["uncommitted changes"] == "yes"


def test_what_can_not_be_asked_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(tmp_path))
    assert set(made_by()) >= {"git commit", "uncommitted changes"}
    assert made_by()["uncommitted changes"] == "unknown"
