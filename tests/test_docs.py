"""What documents show is what the committed reports say."""

import importlib
import re
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

import pytest

from sidebyside.config.compose import compose_config, compose_grid
from sidebyside.config.validate import check_study
from sidebyside.execution.study import first_runs
from support.projects import SOURCE

DOCUMENTS = [SOURCE / "README.md", *sorted((SOURCE / "docs").glob("*.md"))]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_what_is_shown_is_what_was_generated(path, monkeypatch):
    monkeypatch.syspath_prepend(SOURCE / "docs")
    try:
        from embed import embed

        text = path.read_text()
        emptied = re.sub(r"(<!-- embed [^>]+ -->\n?).*?(<!-- end -->)", r"\1\2", text, flags=re.S)
        assert embed(emptied) == text, "make docs brings it up to date"
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
def test_rules_are_chosen_and_variants_named_as_the_page_says():
    page = (SOURCE / "docs" / "sequential.md").read_text()
    lines = re.findall(r"^ {4}((?:[AB]=|python pipelines/train).*)$", page, flags=re.MULTILINE)
    # A shell reads them, as somebody's would.
    script = "\n".join(['python() { shift 2; printf "%s\\n" "$@" ""; }', *lines])
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    commands = [said.splitlines() for said in done.stdout.strip().split("\n\n")]
    assert len(commands) == 4
    for overrides in commands:
        assert len(first_runs(compose_grid(overrides))) in (3 * 16, 5 * 16)


def test_the_page_on_adding_seeds_is_what_writes_it():
    """Its numbers take `make sequential`, its sentences don't."""
    program = (SOURCE / "benchmarks" / "sequential.py").read_text()
    page = (SOURCE / "docs" / "sequential.md").read_text()
    (written,) = re.findall(r'^TEXT = """(.*?)"""$', program, flags=re.DOTALL | re.MULTILINE)
    between = [re.escape(part) for part in re.split(r"\{\w+\}", written)]
    assert re.fullmatch(".*?".join(between), page, flags=re.DOTALL)


def test_every_variable_of_the_environment_is_told():
    sources = [*(SOURCE / "src").rglob("*.py"), *(SOURCE / "conf").rglob("*.yaml")]
    name = re.compile(r"\b(?:SIDEBYSIDE|MLFLOW_TRACKING)_[A-Z_]+\b")
    named = {own for path in sources for own in name.findall(path.read_text())}
    inner = {"SIDEBYSIDE_SUBMITTED"}  # of a driver, set by who starts it
    page = (SOURCE / "docs" / "configuration.md").read_text()
    assert "SIDEBYSIDE_HOME" in named
    assert {own for own in named - inner if f"`{own}`" not in page} == set()


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


@pytest.mark.parametrize("name", ["watching", "carry_over", "beyond"])
def test_a_page_is_that_of_the_committed_evidence(name, tmp_path, monkeypatch):
    with generator(name, monkeypatch) as made:
        for file in [file for file in ("PAGE", "PICTURE") if hasattr(made, file)]:
            monkeypatch.setattr(made, file, tmp_path / getattr(made, file).name)
        made.main()
    assert list(tmp_path.iterdir())
    for path in tmp_path.iterdir():
        shown = (SOURCE / "docs" / path.name).read_text()
        assert path.read_text() == shown, "make docs brings it up to date"


def test_two_studies_are_set_side_by_side(committed_factorial, monkeypatch):
    with generator("carry_over", monkeypatch) as made:
        other = made.at_level(committed_factorial, "data_format", "channels_first")
        page = made.page(committed_factorial, replace(other, dataset="clothes"))
        absent = made.page(committed_factorial, None)
    said = " ".join(page.split())
    assert "**kernel_size**: the conclusion carries over: 5 is better than 3 by 0.19" in said
    assert (
        "at optimizer adadelta, whether a conclusion carries over can't be told: undecided" in said
    )
    assert "| clothes " in page
    assert "`reports/fashion_mnist/fashion/` isn't there yet" in " ".join(absent.split())


@contextmanager
def generator(name, monkeypatch):
    """A script of docs/ as a module."""
    monkeypatch.syspath_prepend(SOURCE / "docs")
    try:
        yield importlib.import_module(name)
    finally:
        sys.modules.pop(name, None)
